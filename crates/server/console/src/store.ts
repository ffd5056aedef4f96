// A value that components follow.
import { useEffect, useState } from "preact/hooks";

export interface Store<T> {
  get: () => T;
  set: (value: T) => void;
  use: () => T;
}

export function store<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<(value: T) => void>();
  return {
    get: () => value,
    set: (next) => {
      value = next;
      listeners.forEach((listener) => listener(next));
    },
    use: () => {
      const [seen, setSeen] = useState(value);
      useEffect(() => {
        setSeen(value);
        const listener = (next: T) => setSeen(() => next);
        listeners.add(listener);
        return () => {
          listeners.delete(listener);
        };
      }, []);
      return seen;
    },
  };
}

/** One line that is shown, and read aloud, at the foot of the page. */
export interface Notice {
  text: string;
  kind: "info" | "problem";
}
export const notice = store<Notice | null>(null);
export const say = (text: string, kind: Notice["kind"] = "info") => notice.set({ text, kind });
