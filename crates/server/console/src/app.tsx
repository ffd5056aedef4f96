// The frame around every page: where to go, in which language, who is reviewing, and what is waiting to be sent.
import { useEffect, useState } from "preact/hooks";
import { may, reviewerName, session, signOut } from "./api";
import { AskName, KeyHelp } from "./dialog";
import { language, LANGUAGES, setLanguage, t, word, type Language } from "./i18n";
import { useKeys, type Binding } from "./keys";
import * as outbox from "./outbox";
import { Problem, useLoaded } from "./parts";
import { describe } from "./pages/facts";
import { InboxPage } from "./pages/inbox";
import { ModelPage } from "./pages/model";
import { PhotoPage, ReviewPage } from "./pages/review";
import { SystemPage } from "./pages/system";
import { VehiclePage } from "./pages/vehicle";
import { WalkaroundPage } from "./pages/walkaround";
import { go, href, useRoute, type Route } from "./route";
import { leave, sessionOver, signIn, signInAgain } from "./sign_in";
import { notice } from "./store";

/** Pages of people who decide. */
const DECIDING: readonly string[] = ["review"];
const PAGES = ["inbox", "review", "walkaround", "vehicle", "system", "model"] as const;
const PAGE_KEYS: Record<(typeof PAGES)[number], string> = { inbox: "i", review: "q", walkaround: "l", vehicle: "v", system: "m", model: "o" };
const THEMES = ["auto", "light", "dark"] as const;
const THEME_KEY = "walkaround.theme";

export function applyTheme() {
  const theme = localStorage.getItem(THEME_KEY) ?? "auto";
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

export function App() {
  const route = useRoute();
  const [, redraw] = useState(0);
  const [help, setHelp] = useState(false);
  const [named, setNamed] = useState(reviewerName() !== null);
  const [loaded, reload] = useLoaded("session", session);
  const name = reviewerName();
  const isOver = sessionOver.use();
  useEffect(() => {
    if (loaded.state === "here") setNamed(reviewerName() !== null);
    // Nothing is lost by going: nothing is shown yet.
    if (loaded.state === "failed" && loaded.signedOut) signInAgain();
  }, [loaded]);
  useEffect(() => {
    document.title = `${t(pageTitle(route))} · Walkaround`;
    // A reader of the screen begins with the new page, not where the old one ended.
    if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
  }, [route.page, language()]);
  const offered = PAGES.filter((page) => may("reviewer") || !DECIDING.includes(page));
  const pages: Binding[] = offered.map((page) => ({
    keys: [`Shift+${PAGE_KEYS[page]}`],
    shown: `Shift ${PAGE_KEYS[page].toUpperCase()}`,
    label: t("key.go", { page: t(`nav.${page}`) }),
    run: () => go(page),
  }));
  useKeys([...pages, { keys: ["?"], label: t("key.help"), run: () => setHelp(true) }]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        {t("skip")}
      </a>
      <header>
        <a class="brand" href={href("inbox")}>
          <img src="/console/icon.svg" alt="" width="28" height="28" /> {t("brand")}
        </a>
        <nav aria-label={t("nav.label")}>
          {offered.map((page) => (
            <a key={page} href={href(page)} aria-current={route.page === page ? "page" : undefined}>
              {t(`nav.${page}`)}
            </a>
          ))}
        </nav>
        <div class="tools">
          {name && (
            <span class="who" title={t("reviewer")}>
              {name}
            </span>
          )}
          {loaded.state === "here" && loaded.value.sign_in && (
            <>
              <span class="role">{word("role", loaded.value.role)}</span>
              <button type="button" data-action="sign-out" onClick={() => void signOut().catch(() => undefined).then(leave)}>
                {t("signIn.out")}
              </button>
            </>
          )}
          <Settings onChange={() => redraw((n) => n + 1)} />
          <button type="button" onClick={() => setHelp(true)}>
            <kbd>?</kbd> {t("keys")}
          </button>
        </div>
      </header>
      {isOver && loaded.state === "here" && (
        <div class="outbox" role="alert" data-session="over">
          {t("signIn.why")}{" "}
          <button type="button" onClick={signIn}>
            {t("signIn.in")}
          </button>
        </div>
      )}
      <Outbox name={name} known={loaded.state === "here"} />
      <main id="main" tabIndex={-1}>
        {loaded.state === "failed" && loaded.signedOut && <SignedOut />}
        {loaded.state === "failed" && !loaded.signedOut && <Problem why={loaded.why} onRetry={reload} />}
        {loaded.state === "here" && named && <Page route={route} classes={loaded.value.classes} />}
      </main>
      <NoticeLine />
      {loaded.state === "here" && !named && <AskName onDone={() => setNamed(true)} />}
      {help && <KeyHelp onClose={() => setHelp(false)} />}
    </>
  );
}

/** Nobody is signed in, and this page does not go to the provider on its own. */
function SignedOut() {
  return (
    <div class="page">
      <h1>{t("signIn.title")}</h1>
      <p>{t("signIn.why")}</p>
      <button type="button" class="primary" data-action="sign-in" onClick={signIn}>
        {t("signIn.in")}
      </button>
    </div>
  );
}

const pageTitle = (route: Route) => {
  const page = PAGES.find((known) => known === route.page);
  return page ? (`nav.${page}` as const) : "nav.review";
};

function Page({ route, classes }: { route: Route; classes: string[] }) {
  switch (route.page) {
    case "review":
      return may("reviewer") ? <ReviewPage classes={classes} /> : <InboxPage classes={classes} />;
    case "photo":
      return route.argument ? <PhotoPage key={route.argument} id={route.argument} classes={classes} /> : <InboxPage classes={classes} />;
    case "walkaround":
      return <WalkaroundPage reservation={route.argument} classes={classes} />;
    case "vehicle":
      return <VehiclePage vehicle={route.argument} />;
    case "system":
      return <SystemPage />;
    case "model":
      return <ModelPage />;
    default:
      return <InboxPage classes={classes} />;
  }
}

function Settings({ onChange }: { onChange: () => void }) {
  return (
    <>
      <label>
        <span class="sr">{t("language")}</span>
        <select
          value={language()}
          onChange={(event) => {
            setLanguage(event.currentTarget.value as Language);
            onChange();
          }}
        >
          {Object.entries(LANGUAGES).map(([code, label]) => (
            <option key={code} value={code} lang={code}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="sr">{t("theme")}</span>
        <select
          value={localStorage.getItem(THEME_KEY) ?? "auto"}
          onChange={(event) => {
            localStorage.setItem(THEME_KEY, event.currentTarget.value);
            applyTheme();
            onChange();
          }}
        >
          {THEMES.map((theme) => (
            <option key={theme} value={theme}>
              {t(`theme.${theme}`)}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}

/** Decisions that wait to be sent, and those that the server did not take: they stay until somebody discards them. */
function Outbox({ name, known }: { name: string | null; known: boolean }) {
  const [, redraw] = useState(0);
  useEffect(() => {
    // Not before the server has said who is signed in: it takes nothing in another name.
    if (known) void outbox.flush();
    return outbox.onChange(() => redraw((n) => n + 1));
  }, [name, known]);
  const count = outbox.waiting().length;
  const refused = outbox.refused();
  return (
    <>
      {count > 0 && (
        <div class="outbox" role="status" data-waiting={count}>
          {t("outbox.waiting", { count })}{" "}
          <button type="button" onClick={() => void outbox.flush()}>
            {t("outbox.sendNow")}
          </button>
        </div>
      )}
      {[...outbox.waitingOfOthers()].map(([by, of]) => (
        <div key={by} class="outbox" role="status" data-of={by}>
          {t("outbox.ofAnother", { by, count: of })}
        </div>
      ))}
      {refused.length > 0 && (
        <section class="outbox refused" aria-label={t("outbox.refusedTitle")} data-refused={refused.length}>
          <strong>{t("outbox.refusedTitle")}</strong>
          <ul>
            {refused.map((one) => (
              <li key={one.key}>
                {t("outbox.refusedOne", { what: describe(one.review.decision), by: one.by, why: one.why })}{" "}
                <a href={href("photo", one.id)}>{t("outbox.refusedOpen")}</a>{" "}
                <button type="button" onClick={() => outbox.discard(one.key)}>
                  {t("outbox.refusedDrop")}
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function NoticeLine() {
  const shown = notice.use();
  return (
    <div class={`notice ${shown?.kind ?? ""}`} role="status" aria-live="polite">
      {shown && (
        <>
          <span>{shown.text}</span>
          <button type="button" class="quiet" onClick={() => notice.set(null)}>
            {t("outbox.dismiss")}
          </button>
        </>
      )}
    </div>
  );
}
