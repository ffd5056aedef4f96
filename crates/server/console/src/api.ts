// Requests to the server. Writes carry the reviewer's name; whatever is refused becomes an ApiError with the server's one line.
import { sessionOver } from "./sign_in";
import { ROLES } from "./types";
import type { InspectionRecord, NewReview, PhotoDocuments, Report, Review, Role, Session, Task, TaskCounts, TaskPage } from "./types";

/** Longest wait for an answer, in milliseconds: the server gives up earlier. */
const ANSWER_MAX_MS = 15_000;
const NAME_KEY = "walkaround.reviewer";

export class ApiError extends Error {
  constructor(
    /** The status; 0 when there was no answer. */
    readonly status: number,
    message: string,
    readonly body: unknown = null,
  ) {
    super(message);
  }
  /** The session is over, or there never was one. */
  get isSignedOut() {
    return this.status === 401;
  }
  get isOffline() {
    return this.status === 0 || this.status === 503;
  }
}

let fixedName: string | null = null;
/** Until the server has answered, nothing is offered that it may refuse. */
let role: Role = "viewer";

/** Whether whoever uses this page may do what this role may. */
export const may = (least: Role) => ROLES.indexOf(role) >= ROLES.indexOf(least);

export function reviewerName(): string | null {
  return fixedName ?? localStorage.getItem(NAME_KEY);
}

export function setReviewerName(name: string) {
  localStorage.setItem(NAME_KEY, name);
}

async function ask<T>(method: "GET" | "POST", url: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (method === "POST") {
    headers["content-type"] = "application/json";
    headers["x-walkaround-reviewer"] = encodeURIComponent(reviewerName() ?? "");
  }
  let response: Response;
  try {
    const signal = AbortSignal.timeout(ANSWER_MAX_MS);
    response = await fetch(url, { method, headers, signal, body: body === undefined ? null : JSON.stringify(body) });
  } catch (error) {
    throw new ApiError(0, String(error));
  }
  const text = await response.text().catch((error: unknown) => {
    throw new ApiError(0, String(error));
  });
  let document: unknown = null;
  try {
    document = JSON.parse(text);
  } catch {
    throw new ApiError(response.ok ? 0 : response.status, `an answer that is not JSON (${response.status})`);
  }
  if (!response.ok) {
    const line = (document as { error?: string }).error ?? `status ${response.status}`;
    // Whoever is drawing goes on: the page says so, and a decision is kept.
    if (response.status === 401) sessionOver.set(true);
    throw new ApiError(response.status, line, document);
  }
  return document as T;
}

const query = (values: Record<string, string | number | null | undefined>) => {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `?${text}` : "";
};
const inspection = (id: string) => `/api/inspections/${encodeURIComponent(id)}`;

export async function session(): Promise<Session> {
  const answer = await ask<Session>("GET", "/api/session");
  fixedName = answer.reviewer;
  role = answer.role;
  return answer;
}

export const signOut = () => ask<{ signed_out: boolean }>("POST", "/api/sign-out", {});

export const photoUrl = (id: string) => `${inspection(id)}/photo`;
// What a browser keeps belongs to one result: a record that is made again has another one, under the same id.
const result = (record: InspectionRecord) => query({ v: record.finished_at });
export const overlayUrl = (record: InspectionRecord) => `${inspection(record.inspection_id)}/overlay${result(record)}`;

export const report = (record: InspectionRecord) =>
  ask<Report>("GET", `${inspection(record.inspection_id)}/report${result(record)}`);

export async function reviews(id: string): Promise<Review[]> {
  return (await ask<{ reviews: Review[] }>("GET", `${inspection(id)}/reviews`)).reviews;
}

export async function documents(id: string): Promise<PhotoDocuments> {
  const record = await ask<InspectionRecord>("GET", inspection(id));
  const [found, decided] = await Promise.all([record.outcome?.report ? report(record) : null, reviews(id)]);
  return { record, report: found, reviews: decided };
}

export const decide = (id: string, review: NewReview) => ask<{ review: Review }>("POST", `${inspection(id)}/reviews`, review);

export interface TaskFilter {
  reason?: string | null;
  vehicle_id?: string | null;
  class?: string | null;
}

/** The next task that nobody holds; `skip` names photos that are not wanted now. */
export const claimNext = async (filter: TaskFilter, skip: string[]) =>
  (await ask<{ task: Task | null }>("POST", "/api/tasks/claim", { ...filter, skip })).task;

export const tasks = (filter: TaskFilter, after: string | null = null) =>
  ask<TaskPage>("GET", `/api/tasks${query({ ...filter, after })}`);
export const taskCounts = () => ask<TaskCounts>("GET", "/api/tasks/counts");

/** Claims the task of a photo; none where it has none. */
export const claim = (id: string) => ask<{ task: Task | null }>("POST", `/api/tasks/${encodeURIComponent(id)}/claim`, {});
export const askForReview = (id: string) => ask<{ task: Task }>("POST", `/api/tasks/${encodeURIComponent(id)}/ask`, {});
export const extend = (id: string) => ask<{ held: boolean }>("POST", `/api/tasks/${encodeURIComponent(id)}/extend`, {});
export const release = (id: string) => ask<{ released: boolean }>("POST", `/api/tasks/${encodeURIComponent(id)}/release`, {});

export interface Listed {
  inspections: InspectionRecord[];
  next: string | null;
}

export const list = (filter: { vehicle_id?: string; reservation_id?: string; day?: string; failed?: "true"; limit?: number }, after: string | null = null) =>
  ask<Listed>("GET", `/api/inspections${query({ ...filter, after })}`);

export interface ReviewSummary {
  inspection_id: string;
  revision: number;
  by: string;
  at: string;
  kind: "unreviewed" | "confirmed" | "corrected" | "unusable";
  verdict: string | null;
}

export interface Walkaround {
  inspections: InspectionRecord[];
  reviews: ReviewSummary[];
  more: boolean;
}

export const walkaround = (reservation: string) => ask<Walkaround>("GET", `/api/walkaround${query({ reservation_id: reservation })}`);
export const vehicle = (id: string) => ask<Walkaround>("GET", `/api/vehicle${query({ vehicle_id: id })}`);

export interface System {
  queues: { name: string; ready: number; leased: number; delayed: number; oldest_s: number | null; parked: number }[];
  workers: {
    worker: string;
    device: string;
    host: string;
    state: string;
    at: string;
    bundle: { name: string; version: string } | null;
    photos_done: number;
    photos_failed: number;
    photos_per_second: number;
    memory_bytes: number;
    in_flight: number;
  }[];
  jobs: { id: string; state: string; since: string; reason: string | null }[];
  counts: { phase: string; verdict: string | null; records: number }[];
  counts_day: string | null;
  concerns: string[];
  version: string;
}

export interface ParkedMessage {
  id: string;
  reason: string;
  sent_at: string;
  excerpt: string;
}

export const system = () => ask<System>("GET", "/api/system");
export const parked = (queue: string) => ask<{ messages: ParkedMessage[]; next: string | null }>("GET", `/api/parked${query({ queue })}`);
export const redrive = (queue: string, ids: string[] | null) =>
  ask<{ moved: number; missing: string[]; refused: { id: string; why: string }[]; more: boolean }>("POST", "/api/parked/redrive", { queue, ids });
export const retry = (ids: string[]) => ask<{ inspections: { inspection_id: string; state: string; why: string | null }[] }>("POST", "/api/retry", { ids });

export interface Span {
  /** Hours, `2026-11-22T17` (UTC). */
  from: string;
  to: string;
  photos: number;
}

export interface Shift {
  figure: string;
  state: "too_few" | "steady" | "drift";
  since?: string;
  psi: number;
  chance: number;
  limit: number;
  reference: number;
  now: number;
  bins: { label: string; reference: number; now: number }[];
}

export interface Measure {
  kind: "precision" | "recall";
  class?: string;
  value?: number;
  low?: number;
  high?: number;
  photos: number;
}

export interface Model {
  at?: string;
  bundle?: { name: string; version: string };
  state: "empty" | "learning" | "waiting" | "steady" | "drift";
  reference_photos: number;
  reference?: Span;
  now?: Span;
  figures: Shift[];
  reviews: { span: Span; drawn: number; reviewed: number; measures: Measure[] };
  windows?: {
    hour: string;
    bundle: { name: string; version: string } | null;
    photos: number;
    failed: number;
    clean: number;
    damaged: number;
    unusable: number;
  }[];
}

export const model = () => ask<Model>("GET", "/api/model");
