// Small parts that several pages have.
import { useCallback, useEffect, useState } from "preact/hooks";
import { ApiError } from "./api";
import { t, word } from "./i18n";
import type { InspectionRecord } from "./types";

export type Loaded<T> = { state: "loading" } | { state: "failed"; why: string; signedOut: boolean } | { state: "here"; value: T };

/** Loads when `key` changes, and again on `reload`; what is there stays while it is loaded again. */
export function useLoaded<T>(key: string, load: () => Promise<T>): [Loaded<T>, () => void] {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: "loading" });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    load().then(
      (value) => current && setLoaded({ state: "here", value }),
      (error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        if (current) setLoaded({ state: "failed", why: error.message, signedOut: error.isSignedOut });
      },
    );
    return () => {
      current = false;
    };
  }, [key, round]);
  return [loaded, useCallback(() => setRound((n) => n + 1), [])];
}

export function Problem({ why, onRetry }: { why: string; onRetry: () => void }) {
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{t("error.title")}</strong>: {why}
      </p>
      <button type="button" onClick={onRetry}>
        {t("error.retry")}
      </button>
    </div>
  );
}

export const verdictOf = (record: InspectionRecord) => (record.phase === "failed" ? "failed" : (record.verdict ?? "none"));

export function Verdict({ of }: { of: string }) {
  return <span class={`verdict verdict-${of}`}>{word("verdict", of)}</span>;
}

export function photoName(record: InspectionRecord): string {
  const { s3, url, file } = record.request.photo;
  return (s3?.key ?? url ?? file ?? record.inspection_id).split("/").at(-1) ?? "";
}

/** A field that opens a page for what is entered. */
export function Finder({ label, value, onOpen }: { label: string; value: string; onOpen: (text: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return (
    <form
      class="row finder"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim()) onOpen(text.trim());
      }}
    >
      <label>
        {label} <input type="search" value={text} maxLength={256} onInput={(event) => setText(event.currentTarget.value)} />
      </label>
      <button type="submit">{t("walkaround.open")}</button>
    </form>
  );
}
