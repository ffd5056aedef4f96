// The tool that adds a polygon: by pointer, or by a cross that the arrow keys move.
import { useState } from "preact/hooks";
import { useKeys } from "../keys";
import { t } from "../i18n";
import type { Point } from "../types";
import type { Surface } from "./viewer";

const STEP_PX = 6;
const FAST_PX = 40;
/** A click this near to the first corner closes the polygon, in pixels of the screen. */
const CLOSE_PX = 10;

interface DrawProps {
  surface: Surface;
  color: string;
  onDone: (outer: Point[]) => void;
  onCancel: () => void;
}

export function Draw({ surface, color, onDone, onCancel }: DrawProps) {
  const { photo, scale, view } = surface;
  const [corners, setCorners] = useState<Point[]>([]);
  const [cross, setCross] = useState<Point>([view.cx * photo.width, view.cy * photo.height]);
  const inside = ([x, y]: Point): Point => [
    Math.round(Math.min(photo.width, Math.max(0, x)) * 10) / 10,
    Math.round(Math.min(photo.height, Math.max(0, y)) * 10) / 10,
  ];
  const close = () => {
    if (corners.length >= 3) onDone(corners);
  };
  const put = (point: Point) => setCorners([...corners, inside(point)]);
  const step = (key: string) => {
    const px = (key.startsWith("Shift+") ? FAST_PX : STEP_PX) / scale;
    const name = key.replace("Shift+", "");
    const [dx, dy] = name === "ArrowLeft" ? [-px, 0] : name === "ArrowRight" ? [px, 0] : name === "ArrowUp" ? [0, -px] : [0, px];
    setCross(inside([cross[0] + dx, cross[1] + dy]));
  };
  const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
  useKeys([
    { keys: [...arrows, ...arrows.map((key) => `Shift+${key}`)], shown: "← ↑ → ↓", label: t("key.moveCross"), run: step },
    { keys: [" "], shown: "Space", label: t("key.setCorner"), run: () => put(cross) },
    { keys: ["Enter"], label: t("key.closePolygon"), run: close },
    { keys: ["Backspace", "z"], label: t("key.removeCorner"), run: () => setCorners(corners.slice(0, -1)) },
    { keys: ["Escape"], label: t("photo.cancel"), run: onCancel },
  ]);
  const click = (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    const point = surface.toPhoto(event);
    const first = corners[0];
    if (first && corners.length >= 3 && Math.hypot(point[0] - first[0], point[1] - first[1]) * scale < CLOSE_PX) close();
    else put(point);
  };
  const r = 5 / scale;
  const arm = 14 / scale;
  return (
    <g class="tool" style={{ "--c": color }}>
      <rect class="catch" x={0} y={0} width={photo.width} height={photo.height} onPointerDown={click} />
      <polyline class="casing" points={corners.map((p) => p.join(",")).join(" ")} />
      <polyline class="line" points={[...corners, cross].map((p) => p.join(",")).join(" ")} />
      {corners.map(([x, y], i) => (
        <circle key={i} class="corner" cx={x} cy={y} r={r} />
      ))}
      <path class="cross" d={`M${cross[0] - arm} ${cross[1]}h${2 * arm}M${cross[0]} ${cross[1] - arm}v${2 * arm}`} />
    </g>
  );
}
