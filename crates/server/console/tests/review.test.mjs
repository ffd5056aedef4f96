// Photo after photo: thirty by keys alone, two reviewers at once, and no decision lost when the server dies.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { anotherPhoto, openBrowser, openPage, shownPhoto, Stack } from "./harness.mjs";

const PHOTOS = 30;

let stack;
let browser;
let ids;

before(async () => {
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
});
beforeEach(async () => {
  stack = await Stack.create();
  ids = await stack.tasks(PHOTOS);
  assert.equal(ids.length, PHOTOS);
});
afterEach(async () => {
  await stack?.close();
});

const reviewsOf = async (id) => (await stack.json(`/api/inspections/${id}/reviews`)).reviews;

/** Decides what is shown, each time in another way, by keys alone; the kind of decision. */
async function decideByKeys(page, turn) {
  const findings = await page.locator("[data-finding]").count();
  switch (turn % 5) {
    case 1:
      await page.keyboard.press("u");
      await page.locator("dialog").waitFor();
      await page.keyboard.press("1");
      return "unusable";
    case 2:
      if (findings === 0) break;
      await page.keyboard.press("x");
      await page.locator("dialog").waitFor();
      await page.keyboard.press("2");
      await page.locator('[data-mark="reject"]').waitFor();
      await page.keyboard.press("Enter");
      return "findings";
    case 3:
      if (findings === 0) break;
      await page.keyboard.press("a");
      await page.locator('[data-mark="accept"]').waitFor();
      await page.keyboard.press("Enter");
      return "findings";
    default:
  }
  await page.keyboard.press("Enter");
  return "confirm";
}

test("thirty photos are reviewed by keys alone, at one zoom", async () => {
  const page = await openPage(browser, stack);
  await page.goTo("inbox");
  await page.locator(".next-photo img[data-loaded]").waitFor();
  await page.keyboard.press("Enter");
  const expected = new Map();
  let zoom;
  for (let turn = 0; turn < PHOTOS; turn++) {
    const id = await shownPhoto(page);
    assert.ok(!expected.has(id), `${id} is shown twice`);
    if (turn === 0) {
      for (const key of ["+", "+", "ArrowRight"]) await page.keyboard.press(key);
      zoom = await page.locator(".viewer").getAttribute("data-zoom");
    }
    assert.equal(await page.locator(".viewer").getAttribute("data-zoom"), zoom);
    expected.set(id, await decideByKeys(page, turn));
    if (turn + 1 < PHOTOS) await anotherPhoto(page, id);
  }
  await page.getByText("The queue is empty.").waitFor();
  assert.deepEqual([...expected.keys()].sort(), [...ids].sort());
  for (const [id, kind] of expected) {
    const reviews = await reviewsOf(id);
    assert.deepEqual(reviews.map((r) => [r.revision, r.by, r.decision.kind]), [[1, "Ada Park", kind]], id);
  }
  assert.deepEqual((await stack.json("/api/tasks")).tasks, []);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("two reviewers never have one photo, and the second to decide sees what the first did", async () => {
  const [ada, min] = await Promise.all(["Ada Park", "김민준"].map((reviewer) => openPage(browser, stack, { reviewer })));
  await Promise.all([ada.goTo("review"), min.goTo("review")]);
  const seen = new Set();
  for (let turn = 0; turn < 5; turn++) {
    const [a, b] = await Promise.all([shownPhoto(ada), shownPhoto(min)]);
    assert.notEqual(a, b);
    assert.ok(!seen.has(a) && !seen.has(b), "a photo was shown twice");
    seen.add(a).add(b);
    await Promise.all([ada, min].map((page) => page.keyboard.press("Enter")));
    await Promise.all([anotherPhoto(ada, a), anotherPhoto(min, b)]);
  }
  const id = await shownPhoto(ada);
  await min.goTo(`photo/${id}`);
  await min.getByText("Ada Park has claimed this photo.").waitFor();
  assert.ok(await min.locator('[data-action="save"]').isDisabled());

  // A decision beside the console, as a script makes one.
  const record = await stack.json(`/api/inspections/${id}`);
  const based_on = record.outcome.report.sha256;
  await stack.post(`/api/inspections/${id}/reviews`, { revision: 1, based_on, decision: { kind: "escalate" } }, "Script");
  await ada.keyboard.press("Enter");
  await ada.getByText("Script was first").waitFor();
  assert.equal(await ada.locator("h1[data-inspection]").getAttribute("data-inspection"), id);
  assert.deepEqual((await reviewsOf(id)).map((r) => r.by), ["Script"]);
  await Promise.all([ada, min].map((page) => page.context().close()));
});

test("no decision is lost or stored twice when the server is killed between decisions", async () => {
  const page = await openPage(browser, stack);
  await page.goTo("review");
  const decided = [];
  for (let round = 0; round < 3; round++) {
    for (let turn = 0; turn < 3; turn++) {
      const id = await shownPhoto(page);
      decided.push(id);
      if (turn === 2) await stack.kill();
      await page.keyboard.press("Enter");
      if (turn === 2) {
        await page.locator("[data-waiting]").waitFor();
        await stack.start();
        await page.locator("[data-waiting]").waitFor({ state: "detached" });
      }
      await anotherPhoto(page, id);
    }
  }
  for (const id of decided) {
    const reviews = await reviewsOf(id);
    assert.deepEqual(reviews.map((r) => [r.revision, r.by]), [[1, "Ada Park"]], id);
  }
  await page.context().close();
});

test("an answer that is lost on its way does not store a decision twice", async () => {
  const page = await openPage(browser, stack);
  await page.goTo("review");
  const id = await shownPhoto(page);
  let lost = 0;
  await page.route("**/reviews", async (route) => {
    if (route.request().method() !== "POST" || lost++ > 0) return await route.continue();
    await route.fetch();
    return await route.abort("connectionreset");
  });
  await page.keyboard.press("Enter");
  await page.locator("[data-waiting]").waitFor();
  await page.locator("[data-waiting]").waitFor({ state: "detached" });
  assert.ok(lost >= 2);
  assert.equal((await reviewsOf(id)).length, 1);
  await page.context().close();
});

test("a decision is taken back, and the photo is open again", async () => {
  const page = await openPage(browser, stack);
  await page.goTo(`photo/${ids[0]}`);
  await shownPhoto(page);
  await page.keyboard.press("Enter");
  await page.locator(".history li").waitFor();
  await page.keyboard.press("b");
  await page.locator(".history .undone").waitFor();
  assert.deepEqual((await reviewsOf(ids[0])).map((r) => r.decision.kind), ["confirm", "undo"]);
  const { tasks } = await stack.json("/api/tasks");
  assert.ok(tasks.some((task) => task.inspection_id === ids[0]));
  await page.context().close();
});
