// The way to the provider of identities and back. What is not sent yet stays in this browser meanwhile.

import { store } from "./store";

/** Whether the server has said that nobody is signed in. */
export const sessionOver = store(false);

const AT_KEY = "walkaround.signInAt";
const OUT_KEY = "walkaround.signedOut";
/** Sooner after the last time, signing in again does not help: somebody has to see why. */
const AGAIN_AFTER_MS = 15_000;

const address = () => `/sign-in?to=${encodeURIComponent(location.hash || "#/inbox")}`;

/** Goes to the provider, unless that was just done, or whoever was here wanted to leave. */
export function signInAgain() {
  if (wasSignedOut()) return;
  const last = Number(sessionStorage.getItem(AT_KEY) ?? 0);
  if (Date.now() - last < AGAIN_AFTER_MS) return;
  signIn();
}

export function signIn() {
  sessionStorage.setItem(AT_KEY, String(Date.now()));
  sessionStorage.removeItem(OUT_KEY);
  location.assign(address());
}

export const wasSignedOut = () => sessionStorage.getItem(OUT_KEY) !== null;

/** Starts over without anything of whoever was here. */
export function leave() {
  sessionStorage.setItem(OUT_KEY, "yes");
  location.reload();
}
