// Builds the console into WALKAROUND_CONSOLE_OUT, or `dist` beside this file; `crates/server/build.rs` embeds what is there.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/console/",
  build: {
    outDir: process.env.WALKAROUND_CONSOLE_OUT ?? "dist",
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
