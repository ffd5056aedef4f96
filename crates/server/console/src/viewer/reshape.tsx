// The tool that redraws an outline: corners and whole polygons, by pointer or by keys.
import { useRef, useState } from "preact/hooks";
import { cornerAdded, cornerAt, cornerMoved, cornerRemoved, corners, moved, path, type Corner } from "../geometry";
import { useKeys } from "../keys";
import { t } from "../i18n";
import type { Polygon } from "../types";
import type { Surface } from "./viewer";

const STEP_PX = 3;
const FAST_PX = 20;

interface ReshapeProps {
  surface: Surface;
  color: string;
  polygons: Polygon[];
  onChange: (polygons: Polygon[]) => void;
  onDone: () => void;
  onCancel: () => void;
}

type Drag = { from: [number, number]; start: Polygon[]; corner: Corner | null };

export function Reshape({ surface, color, polygons, onChange, onDone, onCancel }: ReshapeProps) {
  const [chosen, setChosen] = useState<number | null>(null);
  const drag = useRef<Drag | null>(null);
  const all = corners(polygons);
  const corner = chosen === null ? undefined : all[chosen];
  const go = (by: number) => setChosen(chosen === null ? (by > 0 ? 0 : all.length - 1) : (chosen + by + all.length) % all.length);
  const step = (key: string) => {
    const px = (key.startsWith("Shift+") ? FAST_PX : STEP_PX) / surface.scale;
    const name = key.replace("Shift+", "");
    const [dx, dy] = name === "ArrowLeft" ? [-px, 0] : name === "ArrowRight" ? [px, 0] : name === "ArrowUp" ? [0, -px] : [0, px];
    const at = corner && cornerAt(polygons, corner);
    onChange(corner && at ? cornerMoved(polygons, corner, [at[0] + dx, at[1] + dy]) : moved(polygons, dx, dy));
  };
  const remove = () => {
    if (!corner) return;
    onChange(cornerRemoved(polygons, corner));
    setChosen(null);
  };
  const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
  useKeys([
    { keys: ["n"], label: t("key.nextCorner"), run: () => go(1) },
    { keys: ["p"], label: t("key.previousCorner"), run: () => go(-1) },
    { keys: [...arrows, ...arrows.map((key) => `Shift+${key}`)], shown: "← ↑ → ↓", label: t("key.moveShape"), run: step },
    { keys: ["i"], label: t("key.addCorner"), run: () => corner && onChange(cornerAdded(polygons, corner)) },
    { keys: ["Backspace", "Delete"], label: t("key.removeCorner"), run: remove },
    { keys: ["Enter"], label: t("photo.done"), run: onDone },
    { keys: ["Escape"], label: t("photo.cancel"), run: onCancel },
  ]);
  const begin = (corner: Corner | null, index: number | null) => (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    drag.current = { from: surface.toPhoto(event), start: polygons, corner };
    setChosen(index);
  };
  const move = (event: PointerEvent) => {
    const held = drag.current;
    if (!held) return;
    event.stopPropagation();
    const [x, y] = surface.toPhoto(event);
    onChange(held.corner ? cornerMoved(held.start, held.corner, [x, y]) : moved(held.start, x - held.from[0], y - held.from[1]));
  };
  const end = () => {
    drag.current = null;
  };
  const r = 6 / surface.scale;
  return (
    <g class="tool" style={{ "--c": color }} onPointerMove={move} onPointerUp={end} onPointerCancel={end}>
      <path class="casing" d={path(polygons)} />
      <path class="line grab" d={path(polygons)} onPointerDown={begin(null, null)} />
      {all.map((one, index) => {
        const at = cornerAt(polygons, one);
        if (!at) return null;
        return (
          <circle
            key={`${one.part}.${one.index}`}
            class={`corner grab${index === chosen ? " chosen" : ""}`}
            cx={at[0]}
            cy={at[1]}
            r={index === chosen ? r * 1.3 : r}
            onPointerDown={begin(one, index)}
          />
        );
      })}
    </g>
  );
}
