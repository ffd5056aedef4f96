// Dialogs: a list of choices with a key each, the name of the reviewer, and the list of keys.
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { setReviewerName } from "./api";
import { t } from "./i18n";
import { activeBindings, setSingleKeys, singleKeys, useKeys, type Binding } from "./keys";

interface DialogProps {
  title: string;
  onClose?: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

export interface Choice {
  value: string;
  label: string;
}

interface ChooseProps {
  title: string;
  choices: Choice[];
  /** The label of a field for a choice that is not listed. */
  other?: string;
  onChoose: (value: string) => void;
  onCancel: () => void;
}

export function Choose({ title, choices, other, onChoose, onCancel }: ChooseProps) {
  const [text, setText] = useState("");
  const listed = choices.slice(0, 9);
  useKeys(
    [
      ...listed.map((choice, i) => ({ keys: [String(i + 1)], label: choice.label, run: () => onChoose(choice.value) })),
      { keys: ["Escape"], label: t("photo.cancel"), run: onCancel },
    ],
    true,
  );
  return (
    <Dialog title={title} onClose={onCancel}>
      <ol class="choices">
        {choices.map((choice, i) => (
          <li key={choice.value}>
            <button type="button" onClick={() => onChoose(choice.value)}>
              {i < 9 && <kbd>{i + 1}</kbd>} {choice.label}
            </button>
          </li>
        ))}
      </ol>
      {other && (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim()) onChoose(text.trim());
          }}
        >
          <label>
            {other} <input value={text} maxLength={64} onInput={(event) => setText(event.currentTarget.value)} />
          </label>
          <button type="submit">{t("photo.done")}</button>
        </form>
      )}
      <button type="button" class="quiet" onClick={onCancel}>
        <kbd>Esc</kbd> {t("photo.cancel")}
      </button>
    </Dialog>
  );
}

export function AskName({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  useKeys([], true);
  return (
    <Dialog title={t("reviewer.title")}>
      <p>{t("reviewer.why")}</p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          if (!name.trim()) return;
          setReviewerName(name.trim());
          onDone();
        }}
      >
        <label>
          {t("reviewer.name")}{" "}
          <input name="name" autoComplete="name" maxLength={64} required value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <button type="submit" class="primary">
          {t("reviewer.begin")}
        </button>
      </form>
    </Dialog>
  );
}

const KEY_NAMES: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space" };

export const keyName = (key: string) =>
  key
    .split("+")
    .map((part) => KEY_NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(key === "+" ? "+" : " ") || "+";

/** Names of the keys of one binding, as the list shows them. */
function names(binding: Binding): string[] {
  return binding.shown ? binding.shown.split(" ") : binding.keys.map((key) => (key === "+" ? "+" : keyName(key)));
}

export function KeyHelp({ onClose }: { onClose: () => void }) {
  const [bindings] = useState(activeBindings);
  const [single, setSingle] = useState(singleKeys);
  useKeys([{ keys: ["Escape", "?"], label: t("keys.close"), run: onClose }], true);
  return (
    <Dialog title={t("keys.title")} onClose={onClose}>
      <dl class="keys">
        {bindings.map((binding) => (
          <div key={binding.keys.join(" ")}>
            <dt>
              {names(binding).map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dt>
            <dd>{binding.label}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={single}
          onChange={(event) => {
            setSingleKeys(event.currentTarget.checked);
            setSingle(event.currentTarget.checked);
          }}
        />
        <span>
          {t("keys.single")}. <small>{t("keys.singleHelp")}</small>
        </span>
      </label>
      <button type="button" class="primary" onClick={onClose}>
        {t("keys.close")}
      </button>
    </Dialog>
  );
}
