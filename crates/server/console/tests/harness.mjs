// What the browser tests share: a pipeline of the program under test, and a browser on it.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const run = promisify(execFile);
const PROGRAM = needed("WALKAROUND_PROGRAM");
const BUNDLE = needed("WALKAROUND_BUNDLE");
/** Longest wait for anything: only a failure takes so long. */
export const PATIENCE_MS = 60_000;
const OUTPUT_MAX = 64 << 20;

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests are run by tests/tests/console.rs`);
  return value;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A pipeline in a folder of its own, with the console. */
export class Stack {
  static async create(settings = {}) {
    const stack = new Stack();
    stack.folder = await mkdtemp(path.join(tmpdir(), "walkaround-console-"));
    stack.port = await freePort();
    stack.environment = {
      ...process.env,
      WALKAROUND_ROOT: path.join(stack.folder, "root"),
      WALKAROUND_BUNDLE: BUNDLE,
      WALKAROUND_LISTEN: `127.0.0.1:${stack.port}`,
      WALKAROUND_WORKERS_MAX: "0",
      WALKAROUND_LOG: "info",
      ...settings,
    };
    await stack.start();
    return stack;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts `up`, and waits until it says that it listens. */
  async start() {
    this.process = spawn(PROGRAM, ["up"], { env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    const lines = [];
    this.ended = new Promise((resolve) => this.process.on("exit", resolve));
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`up does not listen:\n${lines.join("\n")}`)), PATIENCE_MS);
      const ready = (line) => {
        lines.push(line);
        if (!line.includes("the stack is up")) return;
        clearTimeout(timer);
        resolve();
      };
      for (const stream of [this.process.stdout, this.process.stderr]) createInterface({ input: stream }).on("line", ready);
      void this.ended.then((code) => {
        clearTimeout(timer);
        reject(new Error(`up ended with ${code}:\n${lines.join("\n")}`));
      });
    });
  }

  /** SIGKILL, as a machine that fails. */
  async kill() {
    this.process.kill("SIGKILL");
    await this.ended;
  }

  async command(...words) {
    const { stdout } = await run(PROGRAM, words, { env: this.environment, maxBuffer: OUTPUT_MAX, timeout: PATIENCE_MS * 5 });
    return stdout;
  }

  /** Drawn walkarounds of two vehicles, inspected. */
  async walkarounds() {
    const photos = path.join(this.folder, "walkarounds");
    await this.command("samples", photos, "--walkarounds", "--width", "640");
    await this.command("submit", path.join(photos, "walkarounds.csv"), "--wait");
  }

  /** `count` drawn photos, inspected, each with a task; their ids. */
  async tasks(count) {
    const photos = path.join(this.folder, "samples");
    await this.command("samples", photos, "--count", String(count), "--width", "320");
    await this.command("submit", photos, "--wait");
    const { inspections } = await this.json("/api/inspections?limit=200");
    const ids = inspections.filter((one) => one.phase === "done").map((one) => one.inspection_id);
    for (const id of ids) await this.post(`/api/tasks/${id}/ask`, {}, "Dispatcher");
    return ids;
  }

  async post(pathname, body, reviewer) {
    const response = await fetch(this.url + pathname, {
      method: "POST",
      headers: { "content-type": "application/json", "x-walkaround-reviewer": encodeURIComponent(reviewer) },
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200, `${pathname}: ${await response.clone().text()}`);
    return await response.json();
  }

  async json(pathname) {
    const response = await fetch(this.url + pathname);
    assert.equal(response.status, 200, `${pathname}: ${await response.clone().text()}`);
    return await response.json();
  }

  async close() {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function openBrowser() {
  return chromium.launch({ executablePath: needed("WALKAROUND_CHROMIUM"), args: FLAGS });
}

/** A page of a reviewer's own browser. Whatever the console says went wrong is in `page.problems`. */
export async function openPage(browser, stack, { reviewer = "Ada Park", language = "en", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript(
    ([name, chosen]) => {
      if (location.protocol !== "http:") return;
      if (name) localStorage.setItem("walkaround.reviewer", name);
      localStorage.setItem("walkaround.language", chosen);
    },
    [reviewer, language],
  );
  const page = await context.newPage();
  page.problems = [];
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${stack.url}/`)) page.problems.push(`asked ${request.url()}`);
  });
  page.goTo = (place) => page.goto(`${stack.url}/console/#/${place}`);
  return page;
}

/** Waits until the photo of the page is shown, and names its inspection. */
export async function shownPhoto(page) {
  await page.locator("[data-page] .viewer img[data-loaded]").waitFor();
  return await page.locator("h1[data-inspection]").getAttribute("data-inspection");
}

/** Waits until another photo than `id` is shown. */
export async function anotherPhoto(page, id) {
  await page.locator(`h1[data-inspection]:not([data-inspection="${id}"])`).waitFor();
  return await shownPhoto(page);
}
