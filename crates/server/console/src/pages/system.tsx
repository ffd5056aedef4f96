// The pipeline: queues, workers, what is parked and what failed.
import { useEffect } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { list, may, parked, redrive, retry, system, type System } from "../api";
import { age, ageOf, clockTime, dateTime, number, t, word, type MessageKey } from "../i18n";
import { useKeys } from "../keys";
import { Problem, useLoaded } from "../parts";
import { href } from "../route";
import { say } from "../store";
import type { InspectionRecord } from "../types";

const REFRESH_MS = 5_000;
const FAILED_SHOWN = 200;

export function SystemPage() {
  const [loaded, reload] = useLoaded("system", system);
  const [failed, reloadFailed] = useLoaded("failed", async () => {
    const day = new Date().toISOString().slice(0, 10);
    return (await list({ day, failed: "true", limit: FAILED_SHOWN })).inspections;
  });
  const refresh = () => {
    reload();
    reloadFailed();
  };
  useEffect(() => {
    const timer = setInterval(refresh, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  useKeys([{ keys: ["r"], label: t("key.refresh"), run: refresh }]);
  if (loaded.state === "failed") {
    return (
      <div class="page">
        <h1>{t("system.title")}</h1>
        <Problem why={loaded.why} onRetry={refresh} />
      </div>
    );
  }
  if (loaded.state === "loading") {
    return (
      <div class="page">
        <h1>{t("system.title")}</h1>
        <p role="status">{t("loading")}</p>
      </div>
    );
  }
  const now = loaded.value;
  return (
    <div class="page system">
      <div class="row between">
        <h1>{t("system.title")}</h1>
        <span class="quiet-text">
          {t("system.version", { version: now.version })} · {t("system.updated", { time: clockTime(new Date()) })}
        </span>
      </div>
      {now.concerns.length > 0 && (
        <div class="problem" role="alert">
          <strong>{t("system.concerns")}</strong>
          <ul>
            {now.concerns.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </div>
      )}
      <Queues system={now} />
      <Workers system={now} />
      <Counts system={now} />
      {may("operator") && now.queues.map((queue) => (
        <Parked key={queue.name} queue={queue.name} count={queue.parked} onChange={refresh} />
      ))}
      <Failed records={failed.state === "here" ? failed.value : []} onChange={refresh} />
    </div>
  );
}

/** Columns of numbers. */
const NUMBERS = new Set<MessageKey>([
  "system.ready",
  "system.leased",
  "system.delayed",
  "system.oldest",
  "system.parkedCount",
  "system.rate",
  "system.done",
  "system.failedCount",
  "system.memory",
  "system.count",
]);

interface TableProps {
  title: string;
  heads: MessageKey[];
  empty?: string | null;
  children: ComponentChildren;
}

function Table({ title, heads, empty, children }: TableProps) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {empty ? (
        <p class="quiet-text">{empty}</p>
      ) : (
        <div class="scroll" role="region" aria-label={title} tabIndex={0}>
          <table>
            <thead>
              <tr>
                {heads.map((key) => (
                  <th scope="col" key={key} class={NUMBERS.has(key) ? "num" : ""}>
                    {t(key)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Queues({ system }: { system: System }) {
  const heads: MessageKey[] = ["system.queue", "system.ready", "system.leased", "system.delayed", "system.oldest", "system.parkedCount"];
  return (
    <Table title={t("system.queues")} heads={heads}>
      {system.queues.map((queue) => (
        <tr key={queue.name} data-queue={queue.name}>
          <th scope="row">{queue.name}</th>
          <td class="num">{number(queue.ready)}</td>
          <td class="num">{number(queue.leased)}</td>
          <td class="num">{number(queue.delayed)}</td>
          <td class="num">{age(queue.oldest_s)}</td>
          <td class="num">{number(queue.parked)}</td>
        </tr>
      ))}
    </Table>
  );
}

function Workers({ system }: { system: System }) {
  const heads: MessageKey[] = [
    "system.worker",
    "system.state",
    "system.device",
    "system.rate",
    "system.leased",
    "system.done",
    "system.failedCount",
    "system.memory",
    "system.bundle",
    "system.heartbeat",
  ];
  return (
    <Table title={t("system.workers")} heads={heads} empty={system.workers.length === 0 ? t("system.noWorkers") : null}>
      {system.workers.map((worker) => (
        <tr key={worker.worker}>
          <th scope="row">{worker.worker}</th>
          <td>{worker.state}</td>
          <td>{worker.device}</td>
          <td class="num">{number(worker.photos_per_second, 2)}</td>
          <td class="num">{number(worker.in_flight)}</td>
          <td class="num">{number(worker.photos_done)}</td>
          <td class="num">{number(worker.photos_failed)}</td>
          <td class="num">{number(worker.memory_bytes / 1_048_576)} MiB</td>
          <td>{worker.bundle ? `${worker.bundle.name} ${worker.bundle.version}` : "–"}</td>
          <td>{t("system.since", { age: ageOf(worker.at) })}</td>
        </tr>
      ))}
    </Table>
  );
}

function Counts({ system }: { system: System }) {
  const title = system.counts_day ? `${t("system.inspections")} (${system.counts_day})` : t("system.inspections");
  return (
    <Table title={title} heads={["system.phase", "photo.verdict", "system.count"]}>
      {system.counts.map((count) => (
        <tr key={`${count.phase} ${count.verdict}`}>
          <th scope="row">{count.phase}</th>
          <td>{count.verdict ? word("verdict", count.verdict) : "–"}</td>
          <td class="num">{number(count.records)}</td>
        </tr>
      ))}
    </Table>
  );
}

function Parked({ queue, count, onChange }: { queue: string; count: number; onChange: () => void }) {
  const [loaded, reload] = useLoaded(`${queue} ${count}`, () => parked(queue));
  const send = async (ids: string[] | null) => {
    const done = await redrive(queue, ids);
    const refused = done.refused.map((one) => one.why).join(", ");
    say(t("system.redriven", { count: done.moved }) + (refused && `; ${refused}`), refused ? "problem" : "info");
    reload();
    onChange();
  };
  const title = `${t("system.parked")}: ${queue}`;
  const messages = loaded.state === "here" ? loaded.value.messages : [];
  return (
    <>
      <Table title={title} heads={["system.reason", "system.sent", "system.message", "system.redrive"]} empty={messages.length === 0 ? t("system.noParked") : null}>
        {messages.map((message) => (
          <tr key={message.id} data-parked={message.id}>
            <td>{message.reason}</td>
            <td>{dateTime(message.sent_at)}</td>
            <td>
              <code>{message.excerpt}</code>
            </td>
            <td>
              <button type="button" onClick={() => void send([message.id])}>
                {t("system.redrive")}
              </button>
            </td>
          </tr>
        ))}
      </Table>
      {messages.length > 1 && (
        <button type="button" onClick={() => void send(null)}>
          {t("system.redriveAll")}
        </button>
      )}
    </>
  );
}

function Failed({ records, onChange }: { records: InspectionRecord[]; onChange: () => void }) {
  const again = async (id: string) => {
    const [one] = (await retry([id])).inspections;
    const isBack = one?.state === "reopened";
    say(isBack ? t("system.retried", { id }) : t("system.notRetried", { id, why: one?.why ?? one?.state ?? "" }), isBack ? "info" : "problem");
    onChange();
  };
  return (
    <Table title={t("system.failed")} heads={["inbox.photo", "system.reason", "photo.finished", ...(may("operator") ? (["system.retry"] as const) : [])]} empty={records.length === 0 ? t("system.noFailed") : null}>
      {records.map((record) => (
        <tr key={record.inspection_id} data-failed={record.inspection_id}>
          <td>
            <a class="id" href={href("photo", record.inspection_id)}>
              {record.inspection_id}
            </a>
          </td>
          <td>
            {record.failure?.code} <small>{record.failure?.detail}</small>
          </td>
          <td>{dateTime(record.finished_at)}</td>
          {may("operator") && (
            <td>
              <button type="button" onClick={() => void again(record.inspection_id)}>
                {t("system.retry")}
              </button>
            </td>
          )}
        </tr>
      ))}
    </Table>
  );
}
