// Polygons are drawn, moved, redrawn and undone, by pointer and by keys; zoom stays from photo to photo.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { openBrowser, openPage, shownPhoto, Stack } from "./harness.mjs";

let stack;
let browser;
let page;
let damaged;

before(async () => {
  stack = await Stack.create();
  await stack.walkarounds();
  browser = await openBrowser();
  damaged = (await stack.json("/api/walkaround?reservation_id=r-1002")).inspections.filter((one) => one.outcome.findings);
});
after(async () => {
  await browser?.close();
  await stack?.close();
});
beforeEach(async () => {
  page = await openPage(browser, stack);
  await page.goTo(`photo/${damaged[0].inspection_id}`);
  await shownPhoto(page);
});
afterEach(async () => {
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

const line = (id) => page.locator(`[data-shape="${id}"] .line`).getAttribute("d");
const added = () => page.locator('[data-mark="added"]').count();

async function draw(points) {
  await page.keyboard.press("d");
  await page.keyboard.press("1");
  const box = await page.locator(".viewer").boundingBox();
  await page.locator(".tool .catch").waitFor();
  for (const [x, y] of points) await page.mouse.click(box.x + x, box.y + y);
  await page.keyboard.press("Enter");
  await page.locator('[data-mark="added"]').waitFor();
}

test("a polygon is drawn by pointer, moved, and undone", async () => {
  await draw([[300, 250], [420, 250], [420, 340], [300, 340]]);
  assert.equal(await added(), 1);
  const drawn = await line("a0");
  assert.equal(drawn.match(/L/g).length, 3);

  await page.keyboard.press("r");
  const box = await page.locator(".viewer").boundingBox();
  await page.mouse.move(box.x + 360, box.y + 300);
  await page.mouse.down();
  await page.mouse.move(box.x + 400, box.y + 320, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.press("Enter");
  const moved = await line("a0");
  assert.notEqual(moved, drawn);

  await page.keyboard.press("z");
  assert.equal(await line("a0"), drawn);
  await page.keyboard.press("z");
  await page.locator('[data-mark="added"]').waitFor({ state: "detached" });
});

test("a polygon is drawn and redrawn by keys alone", async () => {
  await page.keyboard.press("d");
  await page.keyboard.press("1");
  await page.locator(".tool .catch").waitFor();
  for (const key of ["Space", "Shift+ArrowRight", "Space", "Shift+ArrowDown", "Space", "ArrowLeft", "Space"]) await page.keyboard.press(key);
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Enter");
  await page.locator('[data-mark="added"]').waitFor();
  const drawn = await line("a0");
  assert.equal(drawn.match(/L/g).length, 2);

  await page.keyboard.press("r");
  await page.locator(".tool .corner").first().waitFor();
  await page.keyboard.press("n");
  await page.keyboard.press("Shift+ArrowUp");
  await page.keyboard.press("i");
  await page.keyboard.press("Enter");
  const redrawn = await line("a0");
  assert.equal(redrawn.match(/L/g).length, 3);
  assert.notEqual(redrawn.split("L")[0], drawn.split("L")[0]);

  await page.keyboard.press("Backspace");
  await page.locator('[data-mark="added"]').waitFor({ state: "detached" });
});

test("a finding of the report is accepted, rejected with a reason, reclassified, redrawn, and undone", async () => {
  const row = page.locator('[data-finding="f0"]');
  const marks = async () => await row.getAttribute("data-mark");
  await page.keyboard.press("a");
  assert.equal(await marks(), "accept");
  await page.keyboard.press("x");
  await page.keyboard.press("2");
  assert.equal(await marks(), "reject");
  assert.match(await row.textContent(), /Reflection/);
  await page.keyboard.press("c");
  await page.locator("dialog").waitFor();
  await page.keyboard.press("3");
  assert.equal(await marks(), "reclassify");
  const before = await line("f0");
  await page.keyboard.press("r");
  await page.locator(".tool .corner").first().waitFor();
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Enter");
  assert.equal(await marks(), "reshape");
  assert.notEqual(await line("f0"), before);
  for (const expected of ["reclassify", "reject", "accept", "none"]) {
    await page.keyboard.press("z");
    assert.equal(await marks(), expected);
  }
  assert.equal(await line("f0"), before);
});

test("outlines are hidden and shown, all of them or by class", async () => {
  const shapes = page.locator(".shape");
  const all = await shapes.count();
  assert.ok(all > 0);
  await page.keyboard.press("h");
  assert.equal(await shapes.count(), 0);
  await page.keyboard.press("h");
  assert.equal(await shapes.count(), all);
  await page.locator(".classes input").nth(1).uncheck();
  assert.ok((await shapes.count()) < all);
});

test("zoom and place stay when another photo is shown", async () => {
  const viewer = page.locator(".viewer");
  for (const key of ["+", "+", "+", "ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
  const zoom = await viewer.getAttribute("data-zoom");
  const center = await viewer.getAttribute("data-center");
  assert.ok(Number(zoom) > 2, zoom);
  await page.evaluate((id) => { location.hash = `#/photo/${id}`; }, damaged[1].inspection_id);
  await page.locator(`h1[data-inspection="${damaged[1].inspection_id}"]`).waitFor();
  await shownPhoto(page);
  assert.equal(await viewer.getAttribute("data-zoom"), zoom);
  assert.equal(await viewer.getAttribute("data-center"), center);
  await page.keyboard.press("0");
  assert.equal(await viewer.getAttribute("data-zoom"), "1.000");
});
