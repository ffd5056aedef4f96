// One photo and what a reviewer does to it. The page around it says which photo, and what comes after.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { may, overlayUrl, photoUrl, reviews as loadReviews } from "../api";
import { Choose } from "../dialog";
import * as draft from "../draft";
import { boxOf, outlines } from "../geometry";
import { t, word } from "../i18n";
import { submit } from "../outbox";
import { say } from "../store";
import { REJECT_REASONS, type Decision, type Mark, type PhotoDocuments, type Polygon, type RejectReason, type Review, type Task } from "../types";
import { colorOf } from "../viewer/colors";
import { Draw } from "../viewer/draw";
import { Reshape } from "../viewer/reshape";
import { focusedOn, type Size, type View } from "../viewer/view";
import { Viewer, type Shape, type Surface } from "../viewer/viewer";
import { describe, Facts, History } from "./facts";
import { FindingList, type Item } from "./findings";
import { useWorkKeys } from "./work_keys";

export interface WorkProps {
  documents: PhotoDocuments;
  task: Task | null;
  classes: string[];
  view: View;
  onView: (view: View) => void;
  /** After a decision was stored, or kept to be sent. */
  onDecided: () => void;
  onSkip?: () => void;
  /** Who else has claimed it; deciding is not offered then. */
  heldBy?: string | null;
}

export type Tool = { kind: "draw"; class: string } | { kind: "reshape"; id: string; polygons: Polygon[] };
export type Menu = "reject" | "reclassify" | "draw" | "unusable";

const UNUSABLE = ["blurred", "too_dark", "too_bright", "no_vehicle", "obstructed", "other"];

export function PhotoWork(props: WorkProps) {
  const { record, report } = props.documents;
  const id = record.inspection_id;
  const digest = record.outcome?.report?.sha256;
  const [reviews, setReviews] = useState<Review[]>(props.documents.reviews);
  const [history, setHistory] = useState(() => draft.begin(report, digest, props.documents.reviews));
  const [selected, setSelected] = useState<string | null>(report?.findings.length ? "f0" : null);
  const [hidden, setHidden] = useState(false);
  const [hiddenClasses, setHiddenClasses] = useState<string[]>([]);
  const [tool, setTool] = useState<Tool | null>(null);
  const [menu, setMenu] = useState<Menu | null>(null);
  const [note, setNote] = useState("");
  const [conflict, setConflict] = useState<Review | null>(null);
  const [busy, setBusy] = useState(false);
  const frame = useRef<{ frame: Size; photo: Size } | null>(null);

  const classes = useMemo(() => {
    const found = report?.findings.map((f) => f.class) ?? [];
    return [...new Set([...props.classes, ...found, ...history.now.added.map((a) => a.class)])];
  }, [props.classes, report, history]);

  const items = itemsOf(props.documents, history.now, classes);
  const shown = items.filter((item) => !hidden && !hiddenClasses.includes(item.class));
  const chosen = items.find((item) => item.id === selected);
  const editing = tool?.kind === "reshape" ? tool.id : null;
  const shapes: Shape[] = shown
    .filter((item) => item.id !== editing)
    .map(({ id, number, color, polygons, mark }) => ({ id, number, color, polygons, dimmed: mark?.decision === "reject" }));

  const setMark = (mark: Mark | null) => {
    if (chosen?.index !== undefined) setHistory(draft.mark(history, chosen.index, mark));
  };
  const step = (by: number) => {
    if (items.length === 0) return;
    const at = items.findIndex((item) => item.id === selected);
    setSelected(items[(at + by + items.length) % items.length]?.id ?? null);
  };
  const pickClass = (name: string) => {
    setMenu(null);
    if (menu === "draw") setTool({ kind: "draw", class: name });
    else if (chosen?.added !== undefined) setHistory(draft.change(history, chosen.added, { class: name, polygons: chosen.polygons }));
    else setMark({ decision: "reclassify", class: name });
  };
  const finishShape = () => {
    if (tool?.kind !== "reshape") return;
    if (chosen?.added !== undefined) setHistory(draft.change(history, chosen.added, { class: chosen.class, polygons: tool.polygons }));
    else setMark({ decision: "reshape", polygons: tool.polygons });
    setTool(null);
  };

  const decide = async (decision: Decision) => {
    if (busy || props.heldBy || !may("reviewer")) return;
    setBusy(true);
    const text = note.trim();
    const review = { revision: draft.lastRevision(reviews) + 1, based_on: digest ?? "", decision, ...(text ? { note: text } : {}) };
    const sent = await submit(id, review);
    setBusy(false);
    const what = describe(decision);
    if (sent.state === "conflict") {
      setConflict(sent.last);
      // Nobody was first: the report is another one by now, or there is none.
      if (!sent.last) say(t("outbox.refused", { id, why: sent.why }), "problem");
      setReviews(await loadReviews(id));
      return;
    }
    if (sent.state === "refused") {
      say(t("outbox.refused", { id, why: sent.why }), "problem");
      return;
    }
    say(t(sent.state === "stored" ? "photo.saved" : "photo.kept", { what }));
    setNote("");
    if (sent.state === "stored") {
      const all = [...reviews, sent.review];
      setReviews(all);
      if (decision.kind === "undo") setHistory(draft.begin(report, digest, all));
    }
    if (decision.kind !== "undo") props.onDecided();
  };
  const takeBack = (review: Review) => void decide({ kind: "undo", revision: review.revision });
  const held = draft.holding(reviews, digest);

  useWorkKeys({
    off: tool !== null,
    hasChoice: chosen !== undefined,
    isAdded: chosen?.added !== undefined,
    step,
    pick: (number) => setSelected(items[number - 1]?.id ?? selected),
    accept: () => setMark({ decision: "accept" }),
    menu: setMenu,
    reshape: () => chosen && setTool({ kind: "reshape", id: chosen.id, polygons: chosen.polygons }),
    remove: () => chosen?.added !== undefined && setHistory(draft.change(history, chosen.added, null)),
    undo: () => setHistory(draft.undo(history)),
    hide: () => setHidden(!hidden),
    focus: () => {
      if (chosen && frame.current) props.onView(focusedOn(boxOf(chosen.polygons), frame.current.photo, frame.current.frame));
    },
    save: () => void decide(draft.decisionOf(history.now)),
    escalate: () => void decide({ kind: "escalate" }),
    takeBack: () => held && takeBack(held),
    skip: props.onSkip,
    reservation: record.request.reservation_id,
    vehicle: record.request.vehicle_id,
  });

  const toolNode = (surface: Surface) => {
    if (tool?.kind === "draw") {
      const name = tool.class;
      return (
        <Draw
          surface={surface}
          color={colorOf(name, classes)}
          onCancel={() => setTool(null)}
          onDone={(outer) => {
            setHistory(draft.add(history, { class: name, polygons: [{ outer, holes: [] }] }));
            setSelected(`a${history.now.added.length}`);
            setTool(null);
          }}
        />
      );
    }
    if (tool?.kind !== "reshape") return null;
    const change = (polygons: Polygon[]) => setTool({ ...tool, polygons });
    return (
      <Reshape surface={surface} color={chosen?.color ?? "#fff"} polygons={tool.polygons} onChange={change} onDone={finishShape} onCancel={() => setTool(null)} />
    );
  };

  // Reviews that were read before the last decision was made know less than what is shown.
  useEffect(() => {
    const { reviews: read } = props.documents;
    setReviews((shown) => (draft.lastRevision(read) >= draft.lastRevision(shown) ? read : shown));
  }, [props.documents]);
  const size = record.outcome?.size ?? (report?.width && report.height ? { width: report.width, height: report.height } : null);
  const can = may("reviewer") && !props.heldBy && record.phase === "done";

  return (
    <div class="work">
      <section class="stage" aria-label={t("photo.picture", { count: items.length })}>
        <Viewer
          src={photoUrl(id)}
          fallback={record.outcome?.overlay ? overlayUrl(record) : undefined}
          alt={t("photo.picture", { count: items.length })}
          size={size}
          view={props.view}
          onView={props.onView}
          onFrame={(inFrame, photo) => {
            frame.current = { frame: inFrame, photo };
          }}
          shapes={shapes}
          selected={selected}
          onSelect={setSelected}
          tool={tool ? toolNode : null}
          keys={tool === null}
        />
        {tool && <p class="tool-help">{t(tool.kind === "draw" ? "photo.drawHelp" : "photo.reshapeHelp")}</p>}
        {hidden && !tool && <p class="tool-help">{t("photo.hidden")}</p>}
      </section>
      <aside class="panel" aria-label={t("photo.findings")}>
        {conflict && (
          <p class="problem" role="alert">
            {t("photo.conflict", { by: conflict.by, what: describe(conflict.decision) })}
          </p>
        )}
        {!may("reviewer") && <p class="quiet-text">{t("photo.viewOnly")}</p>}
        {props.heldBy && <p class="problem">{t("photo.claimLost", { by: props.heldBy })}</p>}
        <FindingList
          items={items}
          selected={selected}
          classes={classes}
          hidden={hidden}
          hiddenClasses={hiddenClasses}
          disabled={!can || tool !== null}
          onSelect={setSelected}
          onHide={() => setHidden(!hidden)}
          onHideClass={(name) => setHiddenClasses(hiddenClasses.includes(name) ? hiddenClasses.filter((c) => c !== name) : [...hiddenClasses, name])}
          onMark={setMark}
          onMenu={setMenu}
          onReshape={() => chosen && setTool({ kind: "reshape", id: chosen.id, polygons: chosen.polygons })}
          onRemove={() => chosen?.added !== undefined && setHistory(draft.change(history, chosen.added, null))}
          onUndo={history.past.length > 0 ? () => setHistory(draft.undo(history)) : null}
        />
        <Decide
          disabled={!can || busy || tool !== null}
          history={history}
          note={note}
          onNote={setNote}
          onSave={() => void decide(draft.decisionOf(history.now))}
          onUnusable={() => setMenu("unusable")}
          onEscalate={() => void decide({ kind: "escalate" })}
          onSkip={props.onSkip}
        />
        <History reviews={reviews} onTakeBack={can ? takeBack : null} />
        <Facts record={record} task={props.task} held={held} gate={report?.gate ?? null} />
      </aside>
      {menu === "reject" && (
        <Choose
          title={t("photo.chooseReason")}
          choices={REJECT_REASONS.map((value) => ({ value, label: word("why", value) }))}
          onCancel={() => setMenu(null)}
          onChoose={(why) => {
            setMenu(null);
            setMark({ decision: "reject", why: why as RejectReason });
          }}
        />
      )}
      {(menu === "reclassify" || menu === "draw") && (
        <Choose
          title={t("photo.chooseClass")}
          choices={classes.map((value) => ({ value, label: value }))}
          other={t("photo.otherClass")}
          onCancel={() => setMenu(null)}
          onChoose={pickClass}
        />
      )}
      {menu === "unusable" && (
        <Choose
          title={t("photo.chooseUnusable")}
          choices={UNUSABLE.map((value) => ({ value, label: word("unusable", value) }))}
          onCancel={() => setMenu(null)}
          onChoose={(why) => {
            setMenu(null);
            void decide({ kind: "unusable", why });
          }}
        />
      )}
    </div>
  );
}

function itemsOf({ report }: PhotoDocuments, now: draft.Draft, classes: string[]): Item[] {
  const found = (report?.findings ?? []).map((finding, index): Item => {
    const mark = now.marks[index] ?? null;
    const name = mark?.decision === "reclassify" ? mark.class : finding.class;
    const polygons = mark?.decision === "reshape" ? mark.polygons : outlines(finding);
    return { id: `f${index}`, index, number: index + 1, class: name, color: colorOf(name, classes), polygons, mark, finding };
  });
  const added = now.added.map(
    (one, index): Item => ({
      id: `a${index}`,
      added: index,
      number: found.length + index + 1,
      class: one.class,
      color: colorOf(one.class, classes),
      polygons: one.polygons,
      mark: null,
    }),
  );
  return [...found, ...added];
}

interface DecideProps {
  disabled: boolean;
  history: draft.DraftHistory;
  note: string;
  onNote: (text: string) => void;
  onSave: () => void;
  onUnusable: () => void;
  onEscalate: () => void;
  onSkip: (() => void) | undefined;
}

function Decide(props: DecideProps) {
  const confirms = draft.decisionOf(props.history.now).kind === "confirm";
  return (
    <section class="decide" aria-labelledby="decide-title">
      <h2 id="decide-title" class="sr">
        {t("photo.actions")}
      </h2>
      <button type="button" class="primary big" disabled={props.disabled} onClick={props.onSave} data-action="save">
        <kbd>Enter</kbd> {t(confirms ? "photo.confirm" : "photo.save")} {props.onSkip && t("photo.saveAndNext")}
      </button>
      <p class="summary">{t("photo.summary", { ...draft.summary(props.history.now) })}</p>
      <div class="row">
        <button type="button" disabled={props.disabled} onClick={props.onUnusable}>
          <kbd>U</kbd> {t("photo.unusable")}
        </button>
        <button type="button" disabled={props.disabled} onClick={props.onEscalate}>
          <kbd>E</kbd> {t("photo.escalate")}
        </button>
        {props.onSkip && (
          <button type="button" onClick={props.onSkip}>
            <kbd>S</kbd> {t("photo.skip")}
          </button>
        )}
      </div>
      <label class="note">
        {t("photo.note")} <kbd>T</kbd>
        <input
          id="note"
          value={props.note}
          maxLength={500}
          onInput={(event) => props.onNote(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
          }}
        />
      </label>
    </section>
  );
}
