// The documents of the server, as docs/api.md describes them. What is not used here is left out.

export type Point = [number, number];

export interface Polygon {
  outer: Point[];
  holes: Point[][];
}

export interface Finding {
  class: string;
  probability: number;
  area_px: number;
  area_share: number;
  bbox: [number, number, number, number];
  box_only?: boolean;
  polygons: Polygon[];
}

export interface Report {
  sha256: string | null;
  width: number | null;
  height: number | null;
  verdict: string;
  reasons: { code: string; detail: string }[];
  quality: Record<string, number> | null;
  gate: number | null;
  findings: Finding[];
  bundle: { name: string; version: string };
}

export interface InspectionRecord {
  inspection_id: string;
  request: {
    photo: { s3?: { bucket: string; key: string }; url?: string; file?: string };
    vehicle_id?: string;
    reservation_id?: string;
    occasion?: string;
    viewpoint?: string;
    taken_at?: string;
  };
  phase: string;
  verdict?: string;
  route?: { lane: string; reason: string };
  outcome?: {
    size?: { width: number; height: number };
    gate?: number;
    reasons?: { code: string; detail?: string }[];
    findings?: { class: string; probability: number }[];
    report?: { sha256?: string };
    overlay?: object;
    bundle?: { name: string; version: string };
    timings_ms?: Record<string, number>;
    worker?: string;
  };
  failure?: { code: string; detail: string };
  accepted_at: string;
  finished_at?: string;
  attempts?: number;
}

export const REJECT_REASONS = ["dirt", "reflection", "shadow", "part_of_car", "other"] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];

export type Mark =
  | { decision: "accept" }
  | { decision: "reject"; why: RejectReason }
  | { decision: "reclassify"; class: string }
  | { decision: "reshape"; polygons: Polygon[] };

export interface Added {
  class: string;
  polygons: Polygon[];
}

export type Decision =
  | { kind: "confirm" }
  | { kind: "findings"; findings?: (Mark & { finding: number })[]; added?: Added[] }
  | { kind: "unusable"; why: string }
  | { kind: "escalate" }
  | { kind: "undo"; revision: number };

export interface Review {
  inspection_id: string;
  revision: number;
  by: string;
  at: string;
  based_on: string;
  decision: Decision;
  note?: string;
}

/** What is sent: revision `n` is stored only if `n - 1` is the last. */
export interface NewReview {
  revision: number;
  based_on: string;
  decision: Decision;
  note?: string;
}

export interface Task {
  inspection_id: string;
  /** The most pressing reason, and the others. */
  reason: string;
  also?: string[];
  inclusion: number;
  priority: number;
  state: "open" | "claimed" | "done";
  claimed_by?: string;
  claimed_until?: string;
  created_at: string;
  vehicle_id?: string;
  classes?: string[];
}

export interface TaskPage {
  tasks: Task[];
  next: string | null;
}

export interface TaskCounts {
  /** Claimed ones too. */
  open: number;
  more: boolean;
  oldest_s: number | null;
  by_reason: { reason: string; open: number; more: boolean; oldest_s: number | null }[];
}

export const ROLES = ["viewer", "reviewer", "operator"] as const;
export type Role = (typeof ROLES)[number];

export interface Session {
  /** Who decides, where the server knows: whoever signed in, or the name of its settings. */
  reviewer: string | null;
  role: Role;
  /** Whether people sign in here. */
  sign_in: boolean;
  version: string;
  classes: string[];
}

export interface PhotoDocuments {
  record: InspectionRecord;
  report: Report | null;
  reviews: Review[];
}
