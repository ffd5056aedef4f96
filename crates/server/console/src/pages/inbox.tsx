// The open tasks: how many for which reason, the oldest, and the next one, which is claimed and shown.
import { useEffect, useState } from "preact/hooks";
import { may, photoUrl, taskCounts, tasks, type TaskFilter } from "../api";
import { outlines } from "../geometry";
import { age, ageOf, t, word, type MessageKey } from "../i18n";
import { useKeys } from "../keys";
import { photoName, Problem, useLoaded } from "../parts";
import * as claims from "../queue";
import { go, href } from "../route";
import type { Task, TaskCounts } from "../types";
import { colorOf } from "../viewer/colors";
import { WHOLE } from "../viewer/view";
import { Viewer } from "../viewer/viewer";
import { reasonsOf } from "./facts";
import { filters } from "./filters";

const REFRESH_MS = 10_000;

export function InboxPage({ classes }: { classes: string[] }) {
  const filter = filters.use();
  const key = JSON.stringify(filter);
  const [counts, reloadCounts] = useLoaded("counts", taskCounts);
  const [page, reloadPage] = useLoaded(key, () => tasks(filter));
  const [more, setMore] = useState<{ key: string; tasks: Task[]; next: string | null } | null>(null);
  const refresh = () => {
    reloadCounts();
    reloadPage();
  };
  useEffect(() => {
    const timer = setInterval(refresh, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => setMore(null), [key]);
  // A claim is for whoever may decide.
  const decides = may("reviewer");
  useEffect(() => {
    if (decides) claims.start(filter);
  }, [key]);
  const state = claims.queue.use();
  // The claim goes along to the review page, and back to the others from anywhere else.
  useEffect(() => () => {
    if (!location.hash.startsWith("#/review")) claims.stop();
  }, []);
  useKeys([
    ...(decides ? [{ keys: ["Enter"], label: t("key.review"), run: () => go("review") }] : []),
    { keys: ["r"], label: t("key.refresh"), run: refresh },
  ]);
  if (page.state === "failed") {
    return (
      <div class="page">
        <h1>{t("inbox.title")}</h1>
        <Problem why={page.why} onRetry={refresh} />
      </div>
    );
  }
  const first = page.state === "here" ? page.value : null;
  const listed = first ? [...first.tasks, ...(more?.tasks ?? [])] : [];
  const next = more ? more.next : (first?.next ?? null);
  const showMore = async () => {
    const answer = await tasks(filter, next);
    setMore({ key, tasks: [...(more?.tasks ?? []), ...answer.tasks], next: answer.next });
  };
  return (
    <div class="page inbox">
      <section class="inbox-list" aria-labelledby="inbox-title">
        <h1 id="inbox-title">{t("inbox.title")}</h1>
        <Counts counts={counts.state === "here" ? counts.value : null} filter={filter} />
        <Filters filter={filter} classes={classes} />
        <h2>{t("inbox.tasks")}</h2>
        {first && listed.length === 0 ? <p class="quiet-text">{t("inbox.empty")}</p> : <TaskTable tasks={listed} />}
        {next && (
          <button type="button" onClick={() => void showMore()}>
            {t("inbox.more")}
          </button>
        )}
      </section>
      {decides && <NextCard current={state.current} empty={state.empty} classes={classes} />}
    </div>
  );
}

function Counts({ counts, filter }: { counts: TaskCounts | null; filter: TaskFilter }) {
  const figures: [MessageKey, string][] = [
    ["inbox.open", counts ? `${counts.open}${counts.more ? "+" : ""}` : "–"],
    ["inbox.oldest", counts ? age(counts.oldest_s) : "–"],
  ];
  return (
    <>
      <dl class="figures">
        {figures.map(([key, value]) => (
          <div key={key}>
            <dt>{t(key)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <ul class="reasons" aria-label={t("inbox.reason")}>
        <li>
          <button type="button" aria-pressed={!filter.reason} onClick={() => filters.set({ ...filter, reason: null })}>
            {t("inbox.any")}
          </button>
        </li>
        {counts?.by_reason.map(({ reason, open, oldest_s }) => (
          <li key={reason}>
            <button type="button" aria-pressed={filter.reason === reason} onClick={() => filters.set({ ...filter, reason })}>
              {word("reason", reason)} <b>{open}</b> <small>{age(oldest_s)}</small>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function Filters({ filter, classes }: { filter: TaskFilter; classes: string[] }) {
  const [vehicle, setVehicle] = useState(filter.vehicle_id ?? "");
  return (
    <form
      class="row"
      role="search"
      aria-label={t("inbox.filters")}
      onSubmit={(event) => {
        event.preventDefault();
        filters.set({ ...filter, vehicle_id: vehicle.trim() || null });
      }}
    >
      <label>
        {t("inbox.vehicle")}{" "}
        <input
          type="search"
          value={vehicle}
          maxLength={256}
          onInput={(event) => setVehicle(event.currentTarget.value)}
          onBlur={() => vehicle.trim() !== (filter.vehicle_id ?? "") && filters.set({ ...filter, vehicle_id: vehicle.trim() || null })}
        />
      </label>
      <label>
        {t("inbox.class")}{" "}
        <select value={filter.class ?? ""} onChange={(event) => filters.set({ ...filter, class: event.currentTarget.value || null })}>
          <option value="">{t("inbox.any")}</option>
          {classes.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    </form>
  );
}

function TaskTable({ tasks }: { tasks: Task[] }) {
  return (
    <div class="scroll" role="region" aria-label={t("inbox.tasks")} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("inbox.photo")}</th>
            <th scope="col">{t("inbox.reason")}</th>
            <th scope="col">{t("inbox.vehicle")}</th>
            <th scope="col">{t("inbox.class")}</th>
            <th scope="col" class="num">{t("inbox.age")}</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.inspection_id} data-task={task.inspection_id}>
              <td>
                <a class="id" href={href("photo", task.inspection_id)} title={task.inspection_id}>
                  {task.inspection_id}
                </a>
                {task.state === "claimed" && task.claimed_by && <small>{t("inbox.claimedBy", { by: task.claimed_by })}</small>}
              </td>
              <td>{reasonsOf(task)}</td>
              <td class="whole">{task.vehicle_id && <a href={href("vehicle", task.vehicle_id)}>{task.vehicle_id}</a>}</td>
              <td>{task.classes?.join(", ")}</td>
              <td class="num">{ageOf(task.created_at)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function NextCard({ current, empty, classes }: { current: claims.Claimed | null; empty: boolean; classes: string[] }) {
  const [view, setView] = useState(WHOLE);
  const report = current?.documents.report;
  const record = current?.documents.record;
  return (
    <section class="next" aria-labelledby="next-title">
      <h2 id="next-title">{t("inbox.next")}</h2>
      <div class="next-photo">
        {current && record ? (
          <Viewer
            src={photoUrl(record.inspection_id)}
            alt={t("photo.picture", { count: report?.findings.length ?? 0 })}
            size={record.outcome?.size ?? null}
            view={view}
            onView={setView}
            shapes={(report?.findings ?? []).map((finding, i) => ({
              id: `f${i}`,
              number: i + 1,
              color: colorOf(finding.class, classes),
              polygons: outlines(finding),
            }))}
          />
        ) : (
          <p class="viewer-note">{empty ? t("inbox.empty") : t("loading")}</p>
        )}
      </div>
      <p class="row">
        <a class="button primary" href={href("review")}>
          <kbd>Enter</kbd> {t("inbox.start")}
        </a>
        {current && record && (
          <span class="quiet-text">
            {photoName(record)}, {reasonsOf(current.task)}
          </span>
        )}
      </p>
    </section>
  );
}
