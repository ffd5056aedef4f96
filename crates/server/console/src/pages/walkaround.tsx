// A reservation: pick-up beside return, viewpoint by viewpoint, with one zoom for both, or one over the other (blink).
import { useEffect, useMemo, useState } from "preact/hooks";
import { overlayUrl, photoUrl, report as loadReport, walkaround, type ReviewSummary } from "../api";
import { outlines } from "../geometry";
import { dateTime, t, word } from "../i18n";
import { useKeys } from "../keys";
import { Finder, photoName, Problem, useLoaded, Verdict, verdictOf } from "../parts";
import { go, href } from "../route";
import type { InspectionRecord } from "../types";
import { colorOf } from "../viewer/colors";
import { WHOLE, type View } from "../viewer/view";
import { Viewer } from "../viewer/viewer";
import { occasionOf } from "./facts";

type Occasion = "pick_up" | "return" | "other";

interface Row {
  viewpoint: string;
  photos: Partial<Record<Occasion, InspectionRecord>>;
}

/** One row for each viewpoint; a second photo of a viewpoint on one occasion has a row of its own. */
export function rowsOf(records: InspectionRecord[]): Row[] {
  const rows: Row[] = [];
  const sorted = [...records].sort((a, b) => (a.request.viewpoint ?? "").localeCompare(b.request.viewpoint ?? ""));
  for (const record of sorted) {
    const viewpoint = record.request.viewpoint ?? "";
    const occasion = occasionOf(record);
    const free = rows.find((row) => row.viewpoint === viewpoint && !row.photos[occasion]);
    if (free) free.photos[occasion] = record;
    else rows.push({ viewpoint, photos: { [occasion]: record } });
  }
  return rows;
}

export function WalkaroundPage({ reservation, classes }: { reservation: string | null; classes: string[] }) {
  return (
    <div class="page walkaround">
      <div class="row between">
        <h1>{t("walkaround.title")}</h1>
        <Finder label={t("walkaround.find")} value={reservation ?? ""} onOpen={(text) => go("walkaround", text)} />
      </div>
      {reservation ? <Photos key={reservation} reservation={reservation} classes={classes} /> : <p class="quiet-text">{t("walkaround.prompt")}</p>}
    </div>
  );
}

function Photos({ reservation, classes }: { reservation: string; classes: string[] }) {
  const [loaded, reload] = useLoaded(reservation, () => walkaround(reservation));
  const [at, setAt] = useState(0);
  const [blink, setBlink] = useState<Occasion | null>(null);
  const [view, setView] = useState<View>(WHOLE);
  const rows = useMemo(() => (loaded.state === "here" ? rowsOf(loaded.value.inspections) : []), [loaded]);
  const row = rows[Math.min(at, rows.length - 1)];
  const step = (by: number) => rows.length > 0 && setAt((Math.min(at, rows.length - 1) + by + rows.length) % rows.length);
  const toggle = () => setBlink(blink === "pick_up" ? "return" : "pick_up");
  useKeys([
    { keys: ["n", "j"], label: t("key.nextViewpoint"), run: () => step(1) },
    { keys: ["p", "k"], label: t("key.previousViewpoint"), run: () => step(-1) },
    { keys: ["b"], label: t("key.blink"), run: toggle },
    { keys: ["Escape"], label: t("walkaround.sideBySide"), run: () => setBlink(null) },
  ]);
  if (loaded.state === "failed") return <Problem why={loaded.why} onRetry={reload} />;
  if (loaded.state === "loading") return <p role="status">{t("loading")}</p>;
  if (!row) return <p>{t("walkaround.empty")}</p>;
  const vehicle = loaded.value.inspections[0]?.request.vehicle_id;
  const pair: Occasion[] = row.photos.other ? ["other"] : ["pick_up", "return"];
  const shown = blink && !row.photos.other ? [blink] : pair;
  return (
    <>
      <div class="row between">
        <p>
          <strong>{reservation}</strong> {vehicle && <a href={href("vehicle", vehicle)}>{t("walkaround.vehicle", { id: vehicle })}</a>}{" "}
          {loaded.value.more && <em>{t("walkaround.more")}</em>}
        </p>
        <div class="row">
          <button type="button" aria-pressed={blink !== null} onClick={toggle}>
            <kbd>B</kbd> {t("walkaround.blink")}
          </button>
          {blink && (
            <button type="button" onClick={() => setBlink(null)}>
              <kbd>Esc</kbd> {t("walkaround.sideBySide")}
            </button>
          )}
          <span role="status">{blink && t("walkaround.showing", { occasion: t(`walkaround.${blink}`) })}</span>
        </div>
      </div>
      <div class="walkaround-body">
        <Viewpoints rows={rows} row={row} onPick={(index) => setAt(index)} />
        <div class={`pair${shown.length === 1 ? " single" : ""}`}>
          {shown.map((occasion, i) => (
            <Side
              key={blink ? "blink" : occasion}
              occasion={occasion}
              record={row.photos[occasion] ?? null}
              review={loaded.value.reviews.find((r) => r.inspection_id === row.photos[occasion]?.inspection_id) ?? null}
              classes={classes}
              view={view}
              onView={setView}
              keys={i === 0}
            />
          ))}
        </div>
      </div>
    </>
  );
}

function Viewpoints({ rows, row, onPick }: { rows: Row[]; row: Row; onPick: (index: number) => void }) {
  return (
    <nav aria-label={t("walkaround.viewpoints")}>
      <ol class="viewpoints">
        {rows.map((one, index) => {
          const photos = Object.values(one.photos);
          const verdicts = photos.map(verdictOf);
          const worst = ["damaged", "unusable", "failed", "none", "clean"].find((v) => verdicts.includes(v)) ?? "none";
          return (
            <li key={index}>
              <button type="button" aria-current={one === row ? "true" : undefined} onClick={() => onPick(index)}>
                <span>{one.viewpoint.replaceAll("_", " ") || t("walkaround.viewpoint")}</span> <Verdict of={worst} />
              </button>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}

interface SideProps {
  occasion: Occasion;
  record: InspectionRecord | null;
  review: ReviewSummary | null;
  classes: string[];
  view: View;
  onView: (view: View) => void;
  keys: boolean;
}

function Side({ occasion, record, review, classes, view, onView, keys }: SideProps) {
  const id = record?.inspection_id ?? "";
  const [found] = useLoaded(id, () => (record?.outcome?.report ? loadReport(record) : Promise.resolve(null)));
  const [mine, setMine] = useState("");
  useEffect(() => {
    if (found.state === "here") setMine(id);
  }, [found]);
  const findings = found.state === "here" && mine === id ? (found.value?.findings ?? []) : [];
  const name = t(`walkaround.${occasion}`);
  return (
    <section class="side" aria-label={name}>
      <h2>
        {name} {record && <Verdict of={verdictOf(record)} />}{" "}
        <small>
          {record && dateTime(record.request.taken_at ?? record.accepted_at)}
          {review && ` · ${word("judgement", review.kind)}, ${review.by}`}
        </small>
      </h2>
      <div class="side-photo">
        {record ? (
          <Viewer
            src={photoUrl(id)}
            fallback={record.outcome?.overlay ? overlayUrl(record) : undefined}
            alt={`${name}, ${photoName(record)}`}
            size={record.outcome?.size ?? null}
            view={view}
            onView={onView}
            keys={keys}
            shapes={findings.map((finding, i) => ({ id: `f${i}`, number: i + 1, color: colorOf(finding.class, classes), polygons: outlines(finding) }))}
          />
        ) : (
          <p class="viewer-note">{t("walkaround.missing")}</p>
        )}
      </div>
      {record && (
        <p class="row">
          <a href={href("photo", id)}>{t("walkaround.review")}</a>
          <span class="quiet-text">{t("walkaround.findings", { count: record.outcome?.findings?.length ?? 0 })}</span>
        </p>
      )}
    </section>
  );
}
