// The keys of the photo page.
import { t } from "../i18n";
import { useKeys, type Binding } from "../keys";
import { go } from "../route";
import type { Menu } from "./work";

interface WorkKeys {
  /** A tool has the keys. */
  off: boolean;
  hasChoice: boolean;
  isAdded: boolean;
  step: (by: number) => void;
  pick: (number: number) => void;
  accept: () => void;
  menu: (menu: Menu) => void;
  reshape: () => void;
  remove: () => void;
  undo: () => void;
  hide: () => void;
  focus: () => void;
  save: () => void;
  escalate: () => void;
  takeBack: () => void;
  skip: (() => void) | undefined;
  reservation: string | undefined;
  vehicle: string | undefined;
}

export function useWorkKeys(w: WorkKeys) {
  const always: Binding[] = [
    { keys: ["Enter"], label: t("key.save"), run: w.save },
    { keys: ["n", "j"], label: t("key.nextFinding"), run: () => w.step(1) },
    { keys: ["p", "k"], label: t("key.previousFinding"), run: () => w.step(-1) },
    { keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], shown: "1 … 9", label: t("key.pickFinding"), run: (key) => w.pick(Number(key)) },
    { keys: ["d"], label: t("photo.draw"), run: () => w.menu("draw") },
    { keys: ["z"], label: t("photo.undo"), run: w.undo },
    { keys: ["h"], label: t("key.hide"), run: w.hide },
    { keys: ["u"], label: t("photo.unusable"), run: () => w.menu("unusable") },
    { keys: ["e"], label: t("photo.escalate"), run: w.escalate },
    { keys: ["b"], label: t("key.takeBack"), run: w.takeBack },
    { keys: ["t"], label: t("key.note"), run: () => document.getElementById("note")?.focus() },
  ];
  const ofFinding: Binding[] = [
    { keys: ["c"], label: t("photo.reclassify"), run: () => w.menu("reclassify") },
    { keys: ["r"], label: t("photo.reshape"), run: w.reshape },
    { keys: ["f"], label: t("key.focus"), run: w.focus },
    ...(w.isAdded
      ? [{ keys: ["Backspace", "Delete"], label: t("photo.remove"), run: w.remove }]
      : [
          { keys: ["a"], label: t("photo.accept"), run: w.accept },
          { keys: ["x"], label: t("photo.reject"), run: () => w.menu("reject") },
        ]),
  ];
  const elsewhere: Binding[] = [
    ...(w.skip ? [{ keys: ["s"], label: t("photo.skip"), run: w.skip }] : []),
    ...(w.reservation ? [{ keys: ["w"], label: t("photo.toWalkaround"), run: () => go("walkaround", w.reservation) }] : []),
    ...(w.vehicle ? [{ keys: ["v"], label: t("photo.toVehicle"), run: () => go("vehicle", w.vehicle) }] : []),
  ];
  useKeys(w.off ? [] : [...always, ...(w.hasChoice ? ofFinding : []), ...elsewhere]);
}
