// Keys: components bind theirs while they are shown; the newest binding of a key wins. `?` lists all of them.
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Binding {
  /** As `KeyboardEvent.key` has it, letters in lower case: "a", "Enter", "ArrowLeft", "Shift+ArrowLeft", "1". */
  keys: string[];
  /** What the list of keys says. */
  label: string;
  /** How the list of keys writes the keys, where not one by one. */
  shown?: string;
  run: (key: string) => void;
}

const layers: { bindings: Binding[]; only: boolean }[] = [];
const SINGLE_KEY = "walkaround.singleKeys";

export const singleKeys = () => localStorage.getItem(SINGLE_KEY) !== "off";
export const setSingleKeys = (on: boolean) => localStorage.setItem(SINGLE_KEY, on ? "on" : "off");

/** The key that was pressed. Letters come from the key's place where the input method writes another script. */
function pressed(event: KeyboardEvent): string {
  let key = event.key;
  if (!/^[\x20-\x7e]$/.test(key) && /^Key[A-Z]$/.test(event.code)) key = event.code.slice(3);
  if (key.length === 1) key = /[a-z]/i.test(key) ? key.toLowerCase() : key;
  const shifted = event.shiftKey && (key.length > 1 || /[a-z]/.test(key));
  return shifted ? `Shift+${key}` : key;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}

/** A control that was reached by keys keeps those that operate it; one that was clicked does not. */
function belongsToControl(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (key !== "Enter" && key !== " ") return false;
  return target.closest("button, a[href], input, summary") !== null && target.matches(":focus-visible");
}

/** Keys that go on while they are held. A held Enter must not decide about photos that nobody has seen. */
const REPEATING = /^(Shift\+)?Arrow|^[+\-np]$/;

function find(key: string): Binding | undefined {
  for (const layer of [...layers].reverse()) {
    const binding = layer.bindings.find((b) => b.keys.includes(key));
    if (binding || layer.only) return binding;
  }
  return undefined;
}

window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const key = pressed(event);
  if (isTyping(event.target) && key !== "Escape") return;
  if (belongsToControl(event.target, key)) return;
  if (!singleKeys() && key.length === 1 && key !== "?") return;
  const binding = find(key);
  if (!binding) return;
  event.preventDefault();
  if (event.repeat && !REPEATING.test(key)) return;
  binding.run(key);
});

/** Binds keys while the component is shown. `only` hides the keys beneath, as a dialog does. */
export function useKeys(bindings: Binding[], only = false) {
  const layer = useRef({ bindings, only });
  layer.current.bindings = bindings;
  layer.current.only = only;
  // At once, not after the next frame: the next key may be pressed before it.
  useLayoutEffect(() => {
    const mine = layer.current;
    layers.push(mine);
    return () => {
      layers.splice(layers.indexOf(mine), 1);
    };
  }, []);
}

/** Every binding that works now, the newest layer first. */
export function activeBindings(): Binding[] {
  const taken = new Set<string>();
  const found: Binding[] = [];
  for (const layer of [...layers].reverse()) {
    for (const binding of layer.bindings) {
      if (binding.keys.every((key) => taken.has(key))) continue;
      binding.keys.forEach((key) => taken.add(key));
      found.push(binding);
    }
    if (layer.only) break;
  }
  return found;
}
