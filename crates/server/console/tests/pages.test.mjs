// Each page opens without an error, in both languages, and has nothing that axe-core calls a violation of WCAG A or AA.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { openBrowser, openPage, shownPhoto, Stack } from "./harness.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What the server answers when something drifts: a day of photos is needed before, so that no test has one. */
const span = { from: "2026-11-22T01", to: "2026-11-23T01", photos: 2400 };
const shift = (figure, state, more = {}) => ({ figure, state, psi: 0.02, chance: 0.01, chance_95: 0.03, limit: 0.11, reference: 2400, now: 510, bins: [], ...more });
const DRIFT = {
  version: 1,
  at: "2026-11-23T17:00:00Z",
  bundle: { name: "demo", version: "3" },
  state: "drift",
  reference_photos: 2000,
  reference: span,
  now: { ...span, photos: 510 },
  figures: [
    shift("verdict", "steady", { bins: [{ label: "clean", reference: 0.7, now: 0.69 }, { label: "damaged", reference: 0.3, now: 0.31 }] }),
    shift("sharpness", "drift", { psi: 1.9, since: "2026-11-23T15:00:00Z", bins: [{ label: "63 to 90", reference: 0.02, now: 0.6 }, { label: "511 to 723", reference: 0.98, now: 0.4 }] }),
    shift("source", "too_few"),
  ],
  reviews: {
    span,
    drawn: 120,
    reviewed: 90,
    measures: [
      { kind: "precision", value: 0.91, low: 0.84, high: 0.95, photos: 60 },
      { kind: "recall", photos: 9 },
      { kind: "precision", class: "dent", value: 0.8, low: 0.65, high: 0.9, photos: 31 },
    ],
  },
  windows: [],
};

let stack;
let browser;
let first;

before(async () => {
  stack = await Stack.create();
  await stack.walkarounds();
  await stack.command("monitor", "--now");
  browser = await openBrowser();
  [first] = (await stack.json("/api/walkaround?reservation_id=r-1002")).inspections.filter((one) => one.verdict === "damaged");
});
after(async () => {
  await browser?.close();
  await stack?.close();
});

const places = () => [
  ["inbox", ".next-photo img[data-loaded]"],
  ["review", ".stage img[data-loaded]"],
  [`photo/${first.inspection_id}`, ".stage img[data-loaded]"],
  ["walkaround/r-1002", ".side-photo img[data-loaded]"],
  ["vehicle/B-WA%201234", "tr[data-event]"],
  ["system", "tr[data-queue]"],
  ["model", "tr[data-window]"],
  ["model/drift", "[data-model=drift] [data-figure]"],
];

async function violations(page) {
  // Beside the page's own script and its policy: axe is no part of the page.
  await page.evaluate(AXE);
  const found = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: "tag", values } }), LEVELS);
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}

for (const language of ["en", "ko"]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`each page opens: ${language}, ${colorScheme}`, async () => {
      for (const [place, sign] of places()) {
        const page = await openPage(browser, stack, { language, colorScheme });
        if (place === "model/drift") await page.route("**/api/model", (route) => route.fulfill({ json: DRIFT }));
        await page.goTo(place);
        await page.locator(sign).first().waitFor();
        assert.deepEqual(await violations(page), [], place);
        assert.deepEqual(page.problems, [], place);
        assert.equal(await page.locator("html").getAttribute("lang"), language);
        const title = await page.locator("header nav a").first().textContent();
        assert.equal(title, language === "en" ? "Inbox" : "받은 작업");
        await page.context().close();
      }
    });
  }
}

test("the list of keys is complete and can be read", async () => {
  const page = await openPage(browser, stack);
  await page.goTo(`photo/${first.inspection_id}`);
  await shownPhoto(page);
  await page.keyboard.press("?");
  const keys = (await page.locator("dialog dt kbd").allTextContents()).join(" ");
  for (const key of ["Enter", "A", "X", "C", "R", "D", "Z", "U", "E", "H", "F", "+", "-", "0", "?"]) {
    assert.ok(keys.split(" ").includes(key), `${key} is not in: ${keys}`);
  }
  assert.deepEqual(await violations(page), []);
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.context().close();
});

test("the reviewer is asked for a name once", async () => {
  const page = await openPage(browser, stack, { reviewer: null });
  await page.goTo("inbox");
  await page.locator("dialog").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.keyboard.type("Kim Min-jun");
  await page.keyboard.press("Enter");
  await page.locator(".who").waitFor();
  assert.equal(await page.locator(".who").textContent(), "Kim Min-jun");
  await page.reload();
  await page.locator("h1").waitFor();
  assert.equal(await page.locator("dialog").count(), 0);
  await page.context().close();
});

test("figures of the model are gone through by keys, and what drifts is said first", async () => {
  const page = await openPage(browser, stack);
  await page.route("**/api/model", (route) => route.fulfill({ json: DRIFT }));
  await page.goTo("model");
  assert.match(await page.locator("[role=alert]").textContent(), /Changed since the reference: Sharpness/);
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-figure"));
  for (const [key, figure] of [["n", "verdict"], ["n", "sharpness"], ["p", "verdict"], ["p", "source"]]) {
    await page.keyboard.press(key);
    assert.equal(await focused(), figure);
  }
  const measures = page.locator("tr[data-measure]");
  assert.match(await measures.first().textContent(), /verdict damaged.*91%.*84% – 95%.*60/);
  assert.match(await measures.nth(1).textContent(), /recall.*too few/);
  await page.context().close();
});

test("nothing moves while a photo loads", async () => {
  const page = await openPage(browser, stack);
  await page.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shifts += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  await page.route("**/photo", async (route) => {
    await held;
    await route.continue();
  });
  await page.goTo(`photo/${first.inspection_id}`);
  await page.locator("[data-finding]").first().waitFor();
  const before = await page.locator(".viewer img").boundingBox();
  const shifts = await page.evaluate(() => window.shifts);
  release();
  await shownPhoto(page);
  assert.deepEqual(await page.locator(".viewer img").boundingBox(), before);
  assert.equal(await page.evaluate(() => window.shifts), shifts);
  await page.context().close();
});
