// A vehicle: its walkarounds by date, when damage was first seen, when it was last clean, and who reviewed it.
import { vehicle as load, type ReviewSummary } from "../api";
import { dateTime, t } from "../i18n";
import { Finder, Problem, useLoaded, Verdict, verdictOf } from "../parts";
import { go, href } from "../route";
import type { InspectionRecord } from "../types";
import { occasionOf } from "./facts";

interface Event {
  key: string;
  date: string;
  reservation: string | undefined;
  occasion: "pick_up" | "return" | "other";
  records: InspectionRecord[];
  verdict: string;
  classes: string[];
  reviewers: string[];
}

const WORST = ["damaged", "unusable", "failed", "none", "clean"];
const when = (record: InspectionRecord) => record.request.taken_at ?? record.accepted_at;

/** The photos of one occasion of one reservation are one event; the newest comes first. */
export function eventsOf(records: InspectionRecord[], reviews: ReviewSummary[]): Event[] {
  const groups = new Map<string, InspectionRecord[]>();
  for (const record of records) {
    const key = `${record.request.reservation_id ?? when(record).slice(0, 10)}|${occasionOf(record)}`;
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  const reviewOf = new Map(reviews.map((review) => [review.inspection_id, review]));
  const verdict = (record: InspectionRecord) => reviewOf.get(record.inspection_id)?.verdict ?? verdictOf(record);
  const events = [...groups].map(([key, group]): Event => {
    const verdicts = group.map(verdict);
    const reviewers = group.map((r) => reviewOf.get(r.inspection_id)?.by).filter((by) => by !== undefined);
    return {
      key,
      date: group.map(when).sort()[0] ?? "",
      reservation: group[0]?.request.reservation_id,
      occasion: group[0] ? occasionOf(group[0]) : "other",
      records: [...group].sort((a, b) => (a.request.viewpoint ?? "").localeCompare(b.request.viewpoint ?? "")),
      verdict: WORST.find((v) => verdicts.includes(v)) ?? "none",
      classes: [...new Set(group.flatMap((r) => r.outcome?.findings?.map((f) => f.class) ?? []))].sort(),
      reviewers: [...new Set(reviewers)],
    };
  });
  return events.sort((a, b) => b.date.localeCompare(a.date));
}

export function VehiclePage({ vehicle }: { vehicle: string | null }) {
  return (
    <div class="page">
      <div class="row between">
        <h1>{t("vehicle.title")}</h1>
        <Finder label={t("vehicle.find")} value={vehicle ?? ""} onOpen={(text) => go("vehicle", text)} />
      </div>
      {vehicle ? <VehicleHistory key={vehicle} vehicle={vehicle} /> : <p class="quiet-text">{t("vehicle.prompt")}</p>}
    </div>
  );
}

function VehicleHistory({ vehicle }: { vehicle: string }) {
  const [loaded, reload] = useLoaded(vehicle, () => load(vehicle));
  if (loaded.state === "failed") return <Problem why={loaded.why} onRetry={reload} />;
  if (loaded.state === "loading") return <p role="status">{t("loading")}</p>;
  const events = eventsOf(loaded.value.inspections, loaded.value.reviews);
  if (events.length === 0) return <p>{t("vehicle.empty")}</p>;
  const first = events.filter((e) => e.verdict === "damaged").at(-1);
  const clean = events.find((e) => e.verdict === "clean");
  return (
    <>
      <dl class="figures wide">
        <div>
          <dt>{t("vehicle.find")}</dt>
          <dd>{vehicle}</dd>
        </div>
        <div>
          <dt>{t("vehicle.firstSeen")}</dt>
          <dd>{first ? dateTime(first.date) : t("vehicle.never")}</dd>
        </div>
        <div>
          <dt>{t("vehicle.lastClean")}</dt>
          <dd>{clean ? dateTime(clean.date) : t("vehicle.never")}</dd>
        </div>
      </dl>
      {loaded.value.more && <p>{t("walkaround.more")}</p>}
      <div class="scroll" role="region" aria-label={t("vehicle.title")} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("vehicle.date")}</th>
              <th scope="col">{t("vehicle.reservation")}</th>
              <th scope="col">{t("vehicle.occasion")}</th>
              <th scope="col">{t("vehicle.verdict")}</th>
              <th scope="col">{t("vehicle.findings")}</th>
              <th scope="col">{t("vehicle.photos")}</th>
              <th scope="col">{t("vehicle.reviewed")}</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event) => (
              <EventRow key={event.key} event={event} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function EventRow({ event }: { event: Event }) {
  return (
    <tr data-event={event.key}>
      <td>{dateTime(event.date)}</td>
      <td>{event.reservation && <a href={href("walkaround", event.reservation)}>{event.reservation}</a>}</td>
      <td>{t(`walkaround.${event.occasion}`)}</td>
      <td>
        <Verdict of={event.verdict} />
      </td>
      <td>{event.classes.join(", ") || "–"}</td>
      <td>
        {event.records.map((record, i) => (
          <a key={record.inspection_id} class="photo-link" href={href("photo", record.inspection_id)}>
            {record.request.viewpoint?.replaceAll("_", " ") ?? i + 1}
          </a>
        ))}
      </td>
      <td>{event.reviewers.join(", ") || t("vehicle.notReviewed")}</td>
    </tr>
  );
}
