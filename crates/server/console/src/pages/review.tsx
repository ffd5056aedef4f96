// Photo after photo: each is claimed for this reviewer, and the next one is here before it is asked for.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, askForReview, may, claim, documents, release } from "../api";
import { clockTime, t } from "../i18n";
import { photoName, Problem, useLoaded } from "../parts";
import { useKeys } from "../keys";
import * as claims from "../queue";
import { say } from "../store";
import type { Task } from "../types";
import { WHOLE, type View } from "../viewer/view";
import { filters } from "./filters";
import { PhotoWork } from "./work";

/** Zoom and place outlive the photo: the next one, and the one after a look elsewhere, are shown the same way. */
let lastView: View = WHOLE;

function useView(): [View, (view: View) => void] {
  const [view, setView] = useState(lastView);
  return [
    view,
    (next) => {
      lastView = next;
      setView(next);
    },
  ];
}

interface HeadingProps {
  id: string;
  name: string;
  task: Task | null;
  onAsk?: (() => void) | null;
}

function Heading({ id, name, task, onAsk }: HeadingProps) {
  const until = task?.claimed_until ? t("photo.claimedUntil", { time: clockTime(new Date(task.claimed_until)) }) : "";
  return (
    <div class="photo-heading">
      <h1 data-inspection={id}>{t("photo.title", { id: name })}</h1>
      <span class="quiet-text">{until}</span>
      {onAsk && (
        <button type="button" onClick={onAsk}>
          <kbd>Q</kbd> {t("photo.ask")}
        </button>
      )}
    </div>
  );
}

export function ReviewPage({ classes }: { classes: string[] }) {
  const state = claims.queue.use();
  const [view, setView] = useView();
  const filter = filters.use();
  useEffect(() => {
    claims.start(filter);
  }, [filter]);
  useEffect(() => claims.stop, []);
  const { current } = state;
  if (!current) {
    return (
      <div class="page">
        <h1>{t("nav.review")}</h1>
        {state.problem && <Problem why={state.problem} onRetry={() => claims.start(filter)} />}
        <p role="status">{state.empty ? t("photo.none") : t("loading")}</p>
      </div>
    );
  }
  const { record } = current.documents;
  return (
    <div class="photo-page" data-page="review">
      <Heading id={record.inspection_id} name={photoName(record)} task={current.task} />
      <PhotoWork
        key={record.inspection_id}
        documents={current.documents}
        task={current.task}
        classes={classes}
        view={view}
        onView={setView}
        onDecided={() => claims.next("decided")}
        onSkip={() => claims.next("skipped")}
      />
    </div>
  );
}

/** One photo by its id: its task, if it has one, is claimed while it is shown. */
export function PhotoPage({ id, classes }: { id: string; classes: string[] }) {
  const [view, setView] = useView();
  const [loaded, reload] = useLoaded(id, () => documents(id));
  const [task, setTask] = useState<Task | null>(null);
  const [heldBy, setHeldBy] = useState<string | null>(null);
  const ask = () => {
    void askForReview(id).then((answer) => {
      setTask(answer.task);
      say(t("photo.asked"));
    });
  };
  const onAsk = task || heldBy || !may("reviewer") ? null : ask;
  useKeys(onAsk ? [{ keys: ["q"], label: t("photo.ask"), run: onAsk }] : []);
  const mine = useRef(false);
  const decided = () => {
    mine.current = false;
    reload();
  };
  useEffect(() => {
    let shown = true;
    mine.current = false;
    if (!may("reviewer")) return;
    // Looking at a photo keeps its task from others only as long as it is shown. One that is decided is nobody's.
    const giveBack = () => void release(id).catch(() => undefined);
    claim(id).then(
      (answer) => {
        if (!answer.task) return;
        if (!shown) return giveBack();
        mine.current = true;
        setTask(answer.task);
      },
      (error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        const holder = (error.body as { claimed_by?: string } | null)?.claimed_by;
        // A task that is done is nobody's: anyone may decide again.
        if (holder) setHeldBy(holder);
      },
    );
    return () => {
      shown = false;
      if (mine.current) giveBack();
    };
  }, [id]);
  if (loaded.state === "failed") {
    return (
      <div class="page">
        <h1>{t("photo.title", { id })}</h1>
        <Problem why={loaded.why} onRetry={reload} />
      </div>
    );
  }
  if (loaded.state === "loading") {
    return (
      <div class="page">
        <h1>{t("photo.title", { id })}</h1>
        <p role="status">{t("loading")}</p>
      </div>
    );
  }
  const { record } = loaded.value;
  return (
    <div class="photo-page" data-page="photo">
      <Heading id={id} name={photoName(record)} task={task} onAsk={record.phase === "done" ? onAsk : null} />
      <PhotoWork key={id} documents={loaded.value} task={task} classes={classes} view={view} onView={setView} onDecided={decided} heldBy={heldBy} />
    </div>
  );
}

