// Why the photo has its verdict and its lane, how long that took, and who decided what.
import { dateTime, number, percent, t, word } from "../i18n";
import { isUndone } from "../draft";
import { href } from "../route";
import { verdictOf, Verdict } from "../parts";
import type { Decision, InspectionRecord, Review, Task } from "../types";
import type { ComponentChildren } from "preact";

export function describe(decision: Decision): string {
  switch (decision.kind) {
    case "undo":
      return t("decision.undo", { revision: decision.revision });
    case "unusable":
      return `${t("decision.unusable")} (${word("unusable", decision.why)})`;
    case "findings": {
      const count = (action: string) => (decision.findings ?? []).filter((f) => f.decision === action).length;
      return t("photo.summary", {
        accepted: count("accept"),
        rejected: count("reject"),
        changed: count("reclassify") + count("reshape"),
        added: decision.added?.length ?? 0,
      });
    }
    default:
      return t(`decision.${decision.kind}`);
  }
}

export function History({ reviews, onTakeBack }: { reviews: Review[]; onTakeBack: ((review: Review) => void) | null }) {
  const last = reviews.filter((r) => r.decision.kind !== "undo" && !isUndone(r, reviews)).at(-1);
  return (
    <section aria-labelledby="history-title">
      <h2 id="history-title">{t("photo.history")}</h2>
      {reviews.length === 0 && <p class="quiet-text">{t("photo.noHistory")}</p>}
      <ol class="history">
        {reviews.map((review) => (
          <li key={review.revision} class={isUndone(review, reviews) ? "undone" : ""}>
            <strong>{review.by}</strong> <span>{describe(review.decision)}</span>
            {isUndone(review, reviews) && <em> ({t("decision.takenBack")})</em>}
            <small>{dateTime(review.at)}</small>
            {review.note && <q>{review.note}</q>}
            {onTakeBack && review === last && (
              <button type="button" onClick={() => onTakeBack(review)}>
                <kbd>B</kbd> {t("photo.takeBack")}
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Row({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface FactsProps {
  record: InspectionRecord;
  task: Task | null;
  held: Review | null;
  gate: number | null;
}

export function Facts({ record, task, held, gate }: FactsProps) {
  const { request, outcome, route } = record;
  const timings = Object.entries(outcome?.timings_ms ?? {});
  return (
    <section aria-labelledby="facts-title">
      <h2 id="facts-title">{t("photo.facts")}</h2>
      <dl class="facts">
        {task && <Row name={t("photo.taskReason")}>{reasonsOf(task)}</Row>}
        <Row name={t("photo.verdict")}>
          <Verdict of={verdictOf(record)} /> {outcome?.reasons?.map((r) => r.detail ?? r.code).join(", ")}
          {record.failure?.detail}
        </Row>
        {held && <Row name={t("photo.reviewed")}>{describe(held.decision)}</Row>}
        {request.vehicle_id && (
          <Row name={t("vehicle.find")}>
            <a href={href("vehicle", request.vehicle_id)}>{request.vehicle_id}</a> <kbd>V</kbd>
          </Row>
        )}
        {request.reservation_id && (
          <Row name={t("walkaround.find")}>
            <a href={href("walkaround", request.reservation_id)}>{request.reservation_id}</a> <kbd>W</kbd>{" "}
            {request.occasion && word("walkaround", occasionOf(record))} {request.viewpoint?.replaceAll("_", " ")}
          </Row>
        )}
        {route && (
          <Row name={t("photo.lane")}>
            {route.lane} <small>{route.reason}</small>
          </Row>
        )}
        {gate !== null && <Row name={t("photo.gate")}>{percent(gate)}</Row>}
        {timings.length > 0 && (
          <Row name={t("photo.timings")}>{timings.map(([stage, ms]) => `${stage.replaceAll("_", " ")} ${number(ms)} ms`).join(", ")}</Row>
        )}
        {outcome?.bundle && <Row name={t("photo.bundle")}>{`${outcome.bundle.name} ${outcome.bundle.version}`}</Row>}
        {outcome?.worker && <Row name={t("photo.worker")}>{outcome.worker}</Row>}
        {request.taken_at && <Row name={t("photo.taken")}>{dateTime(request.taken_at)}</Row>}
        {record.finished_at && <Row name={t("photo.finished")}>{dateTime(record.finished_at)}</Row>}
      </dl>
    </section>
  );
}

/** Why a person should see a photo, the most pressing reason first. */
export const reasonsOf = (task: Task) => [task.reason, ...(task.also ?? [])].map((reason) => word("reason", reason)).join(", ");

/** `pick_up`, `return` or `other`, from the word of the schema. */
export function occasionOf(record: InspectionRecord): "pick_up" | "return" | "other" {
  const occasion = record.request.occasion?.replace("OCCASION_", "").toLowerCase();
  return occasion === "pick_up" || occasion === "return" ? occasion : "other";
}
