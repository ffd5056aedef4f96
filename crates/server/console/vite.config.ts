// Builds the console into the folder that scripts/setup.sh names; crates/server/build.rs embeds what is in `built`.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/console/",
  build: {
    outDir: process.env["WALKAROUND_CONSOLE_OUT"] ?? "dist",
    emptyOutDir: true,
    // The server's content security policy allows no inline data.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        entryFileNames: "assets/console.js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
      },
    },
  },
});
