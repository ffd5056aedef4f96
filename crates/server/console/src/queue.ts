// The photos that this browser has claimed: the one that is shown, and the next one, whose picture is already here.
import { ApiError, claimNext, documents, extend, photoUrl, release, type TaskFilter } from "./api";
import { store } from "./store";
import type { PhotoDocuments, Task } from "./types";

export interface Claimed {
  task: Task;
  documents: PhotoDocuments;
}

export interface QueueState {
  current: Claimed | null;
  /** Nothing is open: the queue is asked again after a while. */
  empty: boolean;
  problem: string | null;
}

const EXTEND_EVERY_MS = 60_000;
const ASK_AGAIN_MS = 3_000;

export const queue = store<QueueState>({ current: null, empty: false, problem: null });

let filter: TaskFilter = {};
let running = false;
let ahead: Promise<Claimed | null> | null = null;
/** Raised whenever all claims are given back: what was asked for before is not wanted any more. */
let generation = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
/** Photos that were decided or skipped here: the server may still offer them for a moment. */
const left = new Set<string>();
const LEFT_MAX = 1_000;
/** As many as the server takes. */
const SKIP_MAX = 50;
const claims = new Set<string>();

function preload(id: string) {
  const image = new Image();
  image.src = photoUrl(id);
  // A picture that cannot be decoded is reported by the viewer, when it is its turn.
  void image.decode().catch(() => undefined);
}

async function takeNext(): Promise<Claimed | null> {
  const mine = generation;
  const task = await claimNext(filter, [...left, ...claims].slice(-SKIP_MAX));
  if (!task) return null;
  const id = task.inspection_id;
  if (mine !== generation) {
    giveUp(id);
    return null;
  }
  claims.add(id);
  preload(id);
  try {
    return { task, documents: await documents(id) };
  } catch (error) {
    // Nobody sees it, so nobody holds it; others are offered first.
    if (claims.delete(id)) giveUp(id);
    skip(id);
    throw error;
  }
}

/** Has the next photo here before it is wanted; where that fails, tries again later, unless it is wanted by then. */
function prefetch() {
  if (ahead || !running || !queue.get().current) return;
  const taking = takeNext();
  ahead = taking;
  taking.catch(() => {
    if (ahead !== taking) return;
    ahead = null;
    setTimeout(prefetch, ASK_AGAIN_MS);
  });
}

async function advance() {
  const mine = generation;
  try {
    const next = await (ahead ?? takeNext());
    if (mine !== generation) return;
    ahead = null;
    if (!running) return;
    queue.set({ current: next, empty: next === null, problem: null });
    if (next) prefetch();
    else askAgain();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (mine !== generation) return;
    ahead = null;
    queue.set({ current: null, empty: false, problem: error.message });
    askAgain();
  }
}

function askAgain() {
  clearTimeout(timer);
  timer = setTimeout(() => running && !queue.get().current && void advance(), ASK_AGAIN_MS);
}

/** Claims and shows the next photo, and goes on until `stop`. */
export function start(wanted: TaskFilter) {
  const changed = JSON.stringify(wanted) !== JSON.stringify(filter);
  filter = wanted;
  if (running && !changed) return;
  if (changed) giveBack();
  running = true;
  void advance();
}

/** Forgets the photo that is shown, and shows the next one. */
export function next(released: "decided" | "skipped") {
  const current = queue.get().current;
  if (current) {
    const id = current.task.inspection_id;
    claims.delete(id);
    skip(id);
    if (released === "skipped") giveUp(id);
  }
  queue.set({ current: null, empty: false, problem: null });
  void advance();
}

function skip(id: string) {
  left.add(id);
  if (left.size > LEFT_MAX) left.delete([...left][0] ?? "");
}

/** A claim that cannot be given back ends by its own time. */
function giveUp(id: string) {
  void release(id).catch(() => undefined);
}

function giveBack() {
  generation += 1;
  clearTimeout(timer);
  claims.forEach(giveUp);
  claims.clear();
  ahead = null;
  queue.set({ current: null, empty: false, problem: null });
}

export function stop() {
  running = false;
  giveBack();
}

setInterval(() => {
  // A claim that is lost shows when the decision is sent; one that could not be asked for is asked for again.
  claims.forEach((id) => void extend(id).catch(() => undefined));
}, EXTEND_EVERY_MS);
