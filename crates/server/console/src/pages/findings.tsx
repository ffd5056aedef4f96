// The list of findings beside the photo, and what can be done with the chosen one.
import { percent, t, word } from "../i18n";
import type { Finding, Mark, Polygon } from "../types";
import { colorOf } from "../viewer/colors";
import type { Menu } from "./work";

export interface Item {
  id: string;
  /** Its place in the report; none of one that was added. */
  index?: number;
  /** Its place among those that were added. */
  added?: number;
  number: number;
  class: string;
  color: string;
  polygons: Polygon[];
  mark: Mark | null;
  finding?: Finding;
}

interface ListProps {
  items: Item[];
  selected: string | null;
  classes: string[];
  hidden: boolean;
  hiddenClasses: string[];
  disabled: boolean;
  onSelect: (id: string) => void;
  onHide: () => void;
  onHideClass: (name: string) => void;
  onMark: (mark: Mark | null) => void;
  onMenu: (menu: Menu) => void;
  onReshape: () => void;
  onRemove: () => void;
  onUndo: (() => void) | null;
}

function markText(mark: Mark | null): string {
  if (mark === null) return t("mark.none");
  if (mark.decision === "reject") return t("mark.reject", { why: word("why", mark.why) });
  if (mark.decision === "reclassify") return t("mark.reclassify", { class: mark.class });
  return t(`mark.${mark.decision}`);
}

export function FindingList(props: ListProps) {
  const present = props.classes.filter((name) => props.items.some((item) => item.class === name));
  return (
    <section aria-labelledby="findings-title">
      <h2 id="findings-title">{t("photo.findings")}</h2>
      {props.items.length === 0 && <p class="quiet-text">{t("photo.noFindings")}</p>}
      <ul class="findings">
        {props.items.map((item) => (
          <FindingRow key={item.id} item={item} {...props} />
        ))}
      </ul>
      <div class="row">
        <button type="button" disabled={props.disabled} onClick={() => props.onMenu("draw")} data-action="draw">
          <kbd>D</kbd> {t("photo.draw")}
        </button>
        <button type="button" disabled={props.disabled || !props.onUndo} onClick={() => props.onUndo?.()} data-action="undo">
          <kbd>Z</kbd> {t("photo.undo")}
        </button>
      </div>
      {present.length > 0 && (
        <fieldset class="classes">
          <legend class="sr">{t("photo.classes")}</legend>
          <label class="check">
            <input type="checkbox" checked={!props.hidden} onChange={props.onHide} /> {t("photo.toggleAll")} <kbd>H</kbd>
          </label>
          {present.map((name) => (
            <label class="check" key={name}>
              <input type="checkbox" checked={!props.hiddenClasses.includes(name)} onChange={() => props.onHideClass(name)} />
              <span class="swatch" style={{ "--c": colorOf(name, props.classes) }} /> {name}
            </label>
          ))}
        </fieldset>
      )}
    </section>
  );
}

function FindingRow({ item, ...props }: ListProps & { item: Item }) {
  const chosen = item.id === props.selected;
  const { finding } = item;
  return (
    <li class={`finding${chosen ? " chosen" : ""}`} data-finding={item.id} data-mark={item.mark?.decision ?? (finding ? "none" : "added")}>
      <button type="button" class="finding-head" aria-pressed={chosen} onClick={() => props.onSelect(item.id)}>
        <span class="number" style={{ "--c": item.color }}>
          {item.number}
        </span>
        <span class="name">{item.class}</span>
        <span class="mark">{finding ? markText(item.mark) : t("photo.added")}</span>
        {finding && (
          <small>
            {t("photo.probability", { value: percent(finding.probability) })}, {t("photo.share", { value: percent(finding.area_share) })}
          </small>
        )}
      </button>
      {chosen && (
        <div class="row acts">
          {finding && (
            <>
              <Act key_="A" label={t("photo.accept")} {...props} run={() => props.onMark({ decision: "accept" })} />
              <Act key_="X" label={t("photo.reject")} {...props} run={() => props.onMenu("reject")} />
            </>
          )}
          <Act key_="C" label={t("photo.reclassify")} {...props} run={() => props.onMenu("reclassify")} />
          <Act key_="R" label={t("photo.reshape")} {...props} run={props.onReshape} />
          {!finding && <Act key_="⌫" label={t("photo.remove")} {...props} run={props.onRemove} />}
        </div>
      )}
    </li>
  );
}

function Act({ key_, label, disabled, run }: { key_: string; label: string; disabled: boolean; run: () => void }) {
  return (
    <button type="button" disabled={disabled} onClick={run}>
      <kbd>{key_}</kbd> {label}
    </button>
  );
}
