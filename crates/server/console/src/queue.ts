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
  const task = await claimNext(filter, [...left, ...claims].slice(-SKIP_MAX));
  if (!task) return null;
  claims.add(task.inspection_id);
  preload(task.inspection_id);
  return { task, documents: await documents(task.inspection_id) };
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
  try {
    const next = await (ahead ?? takeNext());
    ahead = null;
    if (!running) return;
    queue.set({ current: next, empty: next === null, problem: null });
    if (next) prefetch();
    else setTimeout(() => running && !queue.get().current && void advance(), ASK_AGAIN_MS);
  } catch (error) {
    ahead = null;
    if (!(error instanceof ApiError)) throw error;
    queue.set({ current: null, empty: false, problem: error.message });
    setTimeout(() => running && !queue.get().current && void advance(), ASK_AGAIN_MS);
  }
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
    left.add(id);
    if (left.size > LEFT_MAX) left.delete([...left][0] ?? "");
    if (released === "skipped") giveUp(id);
  }
  queue.set({ current: null, empty: false, problem: null });
  void advance();
}

/** A claim that cannot be given back ends by its own time. */
function giveUp(id: string) {
  void release(id).catch(() => undefined);
}

function giveBack() {
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
