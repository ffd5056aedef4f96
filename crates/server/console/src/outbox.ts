// Decisions on their way to the server. Each is written to this browser's storage first, under the name of whoever made it, and
// leaves it only when the server has stored it, or a person has discarded it. It is sent under that name alone: another person
// who signs in meanwhile does not sign it. A decision that is sent twice is stored once: the server knows it by its revision.
import { ApiError, decide, reviewerName } from "./api";
import type { NewReview, Review } from "./types";

export interface Waiting {
  /** Names this decision among those that are kept: two of one photo may have the same revision. */
  key: string;
  id: string;
  review: NewReview;
  /** Whoever decided. */
  by: string;
}

/** A decision that the server did not take. */
export interface Refused extends Waiting {
  why: string;
}

export type Sent =
  | { state: "stored"; review: Review }
  | { state: "kept" }
  | { state: "conflict"; last: Review | null; why: string }
  | { state: "refused"; why: string };

const KEY = "walkaround.outbox";
const REFUSED_KEY = "walkaround.refused";
/** Most decisions that are kept after they were refused; the oldest goes first. */
const REFUSED_MAX = 100;
/** Most decisions that are kept; the page stops at this many until they are sent. */
export const KEPT_MAX = 500;
const RETRY_FIRST_MS = 1_000;
const RETRY_LONGEST_MS = 30_000;

let timer: ReturnType<typeof setTimeout> | undefined;
let delay = RETRY_FIRST_MS;
let sending: Promise<void> | undefined;
const listeners = new Set<() => void>();

function parsed<T>(key: string): T[] {
  const text = localStorage.getItem(key);
  return text ? (JSON.parse(text) as T[]) : [];
}

const read = () => parsed<Waiting>(KEY);
/** Those that an earlier version kept have no name: they go under the present one, as they did then. */
const isMine = (one: Waiting) => !one.by || one.by === reviewerName();

function write(all: Waiting[]) {
  localStorage.setItem(KEY, JSON.stringify(all));
  listeners.forEach((listener) => listener());
}

const remove = (one: Waiting) => write(read().filter((other) => other.key !== one.key));

/** What is kept of whoever is here now. */
export const waiting = () => read().filter(isMine);
/** How many decisions are kept of each other person. */
export function waitingOfOthers(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of read()) if (!isMine(one)) counts.set(one.by, (counts.get(one.by) ?? 0) + 1);
  return counts;
}

export const refused = () => parsed<Refused>(REFUSED_KEY);

function writeRefused(all: Refused[]) {
  localStorage.setItem(REFUSED_KEY, JSON.stringify(all.slice(-REFUSED_MAX)));
  listeners.forEach((listener) => listener());
}

/** Forgets a decision that was refused. */
export const discard = (key: string) => writeRefused(refused().filter((one) => one.key !== key));

export function onChange(listener: () => void) {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

async function send(one: Waiting): Promise<Sent> {
  // The server would refuse what nobody signs; the browser asks for the name.
  if (!reviewerName()) return { state: "kept" };
  try {
    const { review } = await decide(one.id, one.review);
    remove(one);
    return { state: "stored", review };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // A fault of the server is no answer to the decision, nor is the end of a session.
    if (error.status === 0 || error.isSignedOut || error.status === 429 || error.status >= 500) return { state: "kept" };
    const why = error.message;
    writeRefused([...refused(), { ...one, why }]);
    remove(one);
    if (error.status === 409) return { state: "conflict", last: (error.body as { last?: Review } | null)?.last ?? null, why };
    return { state: "refused", why };
  }
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => void flush(), delay);
  delay = Math.min(delay * 2, RETRY_LONGEST_MS);
}

/** Sends what is kept of whoever is here, oldest first; stops at the first that gets no answer. */
export function flush(): Promise<void> {
  sending ??= (async () => {
    // Read anew each time: decisions are made meanwhile. Each turn sends one that is then gone, or ends.
    for (let one = waiting()[0]; one; one = waiting()[0]) {
      const sent = await send(one);
      if (sent.state === "kept") {
        later();
        return;
      }
      delay = RETRY_FIRST_MS;
    }
    listeners.forEach((listener) => listener());
  })().finally(() => {
    sending = undefined;
  });
  return sending;
}

/** Keeps a decision, then sends it. The answer is there once it is stored, refused, or known to be kept. */
export async function submit(id: string, review: NewReview): Promise<Sent> {
  const kept = read();
  // A decision of this photo that is still on its way comes first, whatever the server has said so far.
  const before = kept.filter((other) => other.id === id).map((other) => other.review.revision);
  const revision = Math.max(review.revision, ...before.map((last) => last + 1));
  const one = { key: crypto.randomUUID(), id, review: { ...review, revision }, by: reviewerName() ?? "" };
  if (kept.length >= KEPT_MAX) return { state: "refused", why: `${KEPT_MAX} decisions are waiting already` };
  write([...kept, one]);
  if (kept.some(isMine)) {
    // What came first goes first: a later decision of the same photo builds on it.
    void flush();
    return { state: "kept" };
  }
  const sent = await send(one);
  if (sent.state === "kept") later();
  return sent;
}

window.addEventListener("online", () => void flush());
