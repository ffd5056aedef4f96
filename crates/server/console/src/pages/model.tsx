// Whether the bundle still sees what it saw, and whether what it finds is right.
import { useEffect, useRef } from "preact/hooks";
import { model, type Measure, type Model, type Shift, type Span } from "../api";
import { dateTime, number, percent, t, word } from "../i18n";
import { useKeys } from "../keys";
import { Problem, useLoaded } from "../parts";

const REFRESH_MS = 60_000;
/** Bins of a figure that are shown: those with the greatest shares. */
const BINS_SHOWN = 16;
/** Windows that are shown, the last ones. */
const WINDOWS_SHOWN = 48;

export function ModelPage() {
  const [loaded, reload] = useLoaded("model", model);
  const cards = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const timer = setInterval(reload, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const step = (by: number) => {
    const all = [...(cards.current?.querySelectorAll<HTMLElement>("[data-figure]") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length;
    all[next]?.focus();
  };
  useKeys([
    { keys: ["r"], label: t("key.refresh"), run: reload },
    { keys: ["n"], label: t("key.nextFigure"), run: () => step(1) },
    { keys: ["p"], label: t("key.previousFigure"), run: () => step(-1) },
  ]);
  if (loaded.state !== "here") {
    return (
      <div class="page">
        <h1>{t("model.title")}</h1>
        {loaded.state === "failed" ? <Problem why={loaded.why} onRetry={reload} /> : <p role="status">{t("loading")}</p>}
      </div>
    );
  }
  const now = loaded.value;
  return (
    <div class="page model" data-model={now.state}>
      <div class="row between">
        <h1>{t("model.title")}</h1>
        <span class="quiet-text">{now.at ? t("model.pass", { time: dateTime(now.at) }) : t("model.noPass")}</span>
      </div>
      <State of={now} />
      {now.figures.length > 0 && (
        <section aria-label={t("model.figures")}>
          <h2>{t("model.figures")}</h2>
          <p class="key-line">
            <i class="bar-reference" /> {t("model.reference")} <i class="bar-now" /> {t("model.now")}
          </p>
          <div class="figure-cards" ref={cards}>
            {now.figures.map((figure) => (
              <FigureCard key={figure.figure} of={figure} />
            ))}
          </div>
        </section>
      )}
      <Reviews of={now} />
      <Windows of={now} />
    </div>
  );
}

const spanText = (span: Span) => t("model.span", { count: number(span.photos), from: hour(span.from), to: hour(span.to) });

/** An hour of a document, `2026-11-22T17`, in the reader's own time. */
const hour = (text: string) => (text ? dateTime(`${text}:00:00Z`) : "–");

function State({ of }: { of: Model }) {
  const drifting = of.figures.filter((figure) => figure.state === "drift").map((figure) => word("figure", figure.figure));
  const text = t(`model.state.${of.state}`, {
    figures: drifting.join(", "),
    count: number(of.reference?.photos ?? 0),
    needed: number(of.reference_photos),
  });
  return (
    <>
      <p class={`model-state model-${of.state}`} role={of.state === "drift" ? "alert" : "status"}>
        {of.bundle && (
          <strong>
            {of.bundle.name} {of.bundle.version}
          </strong>
        )}{" "}
        {text}
      </p>
      <dl class="figures wide">
        {of.reference && (
          <div>
            <dt>{t("model.reference")}</dt>
            <dd>{spanText(of.reference)}</dd>
          </div>
        )}
        {of.now && (
          <div>
            <dt>{t("model.now")}</dt>
            <dd>{spanText(of.now)}</dd>
          </div>
        )}
      </dl>
    </>
  );
}

function FigureCard({ of }: { of: Shift }) {
  const name = word("figure", of.figure);
  const shares = of.bins.map((bin) => Math.max(bin.reference, bin.now)).sort((a, b) => b - a);
  const least = shares[BINS_SHOWN - 1] ?? 0;
  const most = shares[0] || 1;
  const shown = of.bins.filter((bin) => Math.max(bin.reference, bin.now) >= least).slice(0, BINS_SHOWN);
  return (
    <section class={`card figure-card figure-${of.state}`} data-figure={of.figure} aria-label={name} tabIndex={-1}>
      <h3>
        {name} <span class={`verdict ${of.state === "drift" ? "verdict-damaged" : of.state === "steady" ? "verdict-clean" : ""}`}>{t(`model.is.${of.state}`)}</span>
      </h3>
      <p class="quiet-text">
        {t("model.psi", { psi: number(of.psi, 3), chance: number(of.chance, 3), limit: number(of.limit, 3) })}
        {of.since && ` ${t("model.since", { time: dateTime(of.since) })}`}
      </p>
      <table class="bars">
        <thead class="sr">
          <tr>
            <th scope="col">{t("model.bin")}</th>
            <th scope="col">{t("model.reference")}</th>
            <th scope="col">{t("model.now")}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((bin) => (
            <tr key={bin.label}>
              <th scope="row">{bin.label}</th>
              <td>
                <span class="bar-reference" style={{ width: `${(70 * bin.reference) / most}%` }} /> {percent(bin.reference)}
              </td>
              <td>
                <span class="bar-now" style={{ width: `${(70 * bin.now) / most}%` }} /> {percent(bin.now)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Reviews({ of }: { of: Model }) {
  const { reviews } = of;
  const title = t("model.reviews");
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <p class="quiet-text">
        {t("model.reviewed", { reviewed: number(reviews.reviewed), drawn: number(reviews.drawn) })} {spanText(reviews.span)}
      </p>
      <div class="scroll" role="region" aria-label={title} tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("model.of")}</th>
              <th scope="col">{t("model.measure")}</th>
              <th scope="col" class="num">
                {t("model.estimate")}
              </th>
              <th scope="col">{t("model.interval")}</th>
              <th scope="col" class="num">
                {t("model.photos")}
              </th>
            </tr>
          </thead>
          <tbody>
            {reviews.measures.map((measure) => (
              <MeasureRow key={`${measure.class ?? ""} ${measure.kind}`} of={measure} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function MeasureRow({ of }: { of: Measure }) {
  const known = of.value !== undefined && of.low !== undefined && of.high !== undefined;
  return (
    <tr data-measure={of.kind}>
      <th scope="row">{of.class ?? t("model.verdictDamaged")}</th>
      <td>{word("measure", of.kind)}</td>
      <td class="num">{known ? percent(of.value!) : t("model.tooFew")}</td>
      <td>
        {known && (
          <>
            <span class="interval" aria-hidden="true">
              <span style={{ left: `${of.low! * 100}%`, width: `${Math.max(1, (of.high! - of.low!) * 100)}%` }} />
            </span>{" "}
            {percent(of.low!)} – {percent(of.high!)}
          </>
        )}
      </td>
      <td class="num">{number(of.photos)}</td>
    </tr>
  );
}

function Windows({ of }: { of: Model }) {
  const title = t("model.windows");
  const windows = (of.windows ?? []).slice(-WINDOWS_SHOWN).reverse();
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {windows.length === 0 ? (
        <p class="quiet-text">{t("model.noWindows")}</p>
      ) : (
        <div class="scroll" role="region" aria-label={title} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("model.hour")}</th>
                <th scope="col">{t("system.bundle")}</th>
                {(["model.photos", "verdict.clean", "verdict.damaged", "verdict.unusable", "verdict.failed"] as const).map((key) => (
                  <th scope="col" class="num" key={key}>
                    {t(key)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {windows.map((window) => (
                <tr key={`${window.hour} ${window.bundle?.version}`} data-window={window.hour}>
                  <th scope="row">{hour(window.hour)}</th>
                  <td>{window.bundle ? `${window.bundle.name} ${window.bundle.version}` : "–"}</td>
                  {[window.photos, window.clean, window.damaged, window.unusable, window.failed].map((count, i) => (
                    <td class="num" key={i}>
                      {number(count)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
