// The language of the page, and texts in it.
import { en, type MessageKey } from "./messages/en";
import { ko } from "./messages/ko";

export type { MessageKey };
export const LANGUAGES = { en: "English", ko: "한국어" } as const;
export type Language = keyof typeof LANGUAGES;

const KEY = "walkaround.language";
const TEXTS: Record<Language, Record<MessageKey, string>> = { en, ko };

const isLanguage = (word: string | null | undefined): word is Language => word === "en" || word === "ko";
const chosen = localStorage.getItem(KEY);
let current: Language = isLanguage(chosen) ? chosen : navigator.language.startsWith("ko") ? "ko" : "en";
document.documentElement.lang = current;

export const language = () => current;

export function setLanguage(language: Language) {
  current = language;
  localStorage.setItem(KEY, language);
  document.documentElement.lang = language;
}

export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A text for a word of the server's; the word itself where there is none. */
export function word(prefix: string, value: string): string {
  const key = `${prefix}.${value}`;
  return key in en ? t(key as MessageKey) : value.replaceAll("_", " ");
}

export function age(seconds: number | null): string {
  if (seconds === null) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t("unit.seconds", { n: s });
  if (s < 3600) return t("unit.minutes", { n: Math.round(s / 60) });
  if (s < 86_400) return t("unit.hours", { n: Math.round(s / 3600) });
  return t("unit.days", { n: Math.round(s / 86_400) });
}

export const ageOf = (moment: string) => age((Date.now() - Date.parse(moment)) / 1000);

export function dateTime(moment: string | undefined): string {
  if (!moment) return "–";
  return new Intl.DateTimeFormat(current, { dateStyle: "medium", timeStyle: "short" }).format(new Date(moment));
}

export function clockTime(moment: Date): string {
  return new Intl.DateTimeFormat(current, { timeStyle: "medium" }).format(moment);
}

export function percent(share: number): string {
  return new Intl.NumberFormat(current, { style: "percent", maximumFractionDigits: share < 0.1 ? 2 : 0 }).format(share);
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(current, { maximumFractionDigits: digits }).format(value);
}
