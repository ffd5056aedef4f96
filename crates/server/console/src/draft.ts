// What a reviewer has decided of a photo and not yet stored, with undo; and what stored decisions amount to.
import type { Added, Decision, Mark, Report, Review } from "./types";

export interface Draft {
  /** One for each finding of the report; none where nothing is decided. */
  marks: (Mark | null)[];
  added: Added[];
}

export interface DraftHistory {
  now: Draft;
  past: Draft[];
}

/** Steps that can be undone. */
const PAST_MAX = 200;

/** Whether a decision was taken back, and the taking back was not itself taken back. */
export function isUndone(review: Review, all: Review[]): boolean {
  return all.some((r) => r.decision.kind === "undo" && r.decision.revision === review.revision && !isUndone(r, all));
}

/** The decision about a report that holds: decisions about an earlier report of the same photo do not count. */
export function holding(reviews: Review[], report: string | undefined): Review | null {
  const standing = reviews.filter((r) => r.based_on === report && r.decision.kind !== "undo" && !isUndone(r, reviews));
  return standing.at(-1) ?? null;
}

export const lastRevision = (reviews: Review[]) => reviews.at(-1)?.revision ?? 0;

export function begin(report: Report | null, digest: string | undefined, reviews: Review[]): DraftHistory {
  const findings = report?.findings ?? [];
  const held = holding(reviews, digest);
  const decision = held?.decision;
  if (decision?.kind === "findings") {
    const marks = findings.map((_, place): Mark => decision.findings?.find((f) => f.finding === place) ?? { decision: "accept" });
    return { now: { marks, added: decision.added ?? [] }, past: [] };
  }
  const marks = findings.map((): Mark | null => (decision?.kind === "confirm" ? { decision: "accept" } : null));
  return { now: { marks, added: [] }, past: [] };
}

const step = (history: DraftHistory, now: Draft): DraftHistory => ({ now, past: [...history.past, history.now].slice(-PAST_MAX) });

export function undo(history: DraftHistory): DraftHistory {
  const before = history.past.at(-1);
  return before ? { now: before, past: history.past.slice(0, -1) } : history;
}

export function mark(history: DraftHistory, index: number, mark: Mark | null): DraftHistory {
  const marks = history.now.marks.map((old, i) => (i === index ? mark : old));
  return step(history, { ...history.now, marks });
}

export function add(history: DraftHistory, added: Added): DraftHistory {
  return step(history, { ...history.now, added: [...history.now.added, added] });
}

export function change(history: DraftHistory, index: number, added: Added | null): DraftHistory {
  const all = history.now.added.flatMap((old, i) => (i !== index ? [old] : added ? [added] : []));
  return step(history, { ...history.now, added: all });
}

export function decisionOf({ marks, added }: Draft): Decision {
  if (marks.every((m) => m === null) && added.length === 0) return { kind: "confirm" };
  return { kind: "findings", findings: marks.map((m, finding) => ({ ...(m ?? { decision: "accept" }), finding })), added };
}

export interface Summary {
  accepted: number;
  rejected: number;
  changed: number;
  added: number;
}

export function summary({ marks, added }: Draft): Summary {
  const count = (...actions: Mark["decision"][]) => marks.filter((m) => m && actions.includes(m.decision)).length;
  const undecided = marks.filter((m) => m === null).length;
  return {
    accepted: count("accept") + undecided,
    rejected: count("reject"),
    changed: count("reclassify", "reshape"),
    added: added.length,
  };
}
