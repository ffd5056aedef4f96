// The photo with outlines over it: zoom, pan, choosing, drawing and redrawing.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { path } from "../geometry";
import type { Polygon } from "../types";
import { useKeys } from "../keys";
import { t } from "../i18n";
import { panned, scaleOf, WHOLE, zoomed, type Size, type View } from "./view";

export interface Shape {
  id: string;
  number: number;
  color: string;
  polygons: Polygon[];
  dimmed?: boolean;
}

/** What a tool (drawing, redrawing) needs of the frame. */
export interface Surface {
  photo: Size;
  scale: number;
  view: View;
  toPhoto: (event: { clientX: number; clientY: number }) => [number, number];
}

export interface ViewerProps {
  src: string;
  fallback?: string | undefined;
  alt: string;
  size: Size | null;
  view: View;
  onView: (view: View) => void;
  onFrame?: (frame: Size, photo: Size) => void;
  shapes: Shape[];
  selected?: string | null;
  onSelect?: (id: string) => void;
  tool?: ((surface: Surface) => ComponentChildren) | null;
  keys?: boolean;
}

const STEP = 1.4;
const PAN_PX = 60;

export function Viewer(props: ViewerProps) {
  const frameRef = useRef<HTMLDivElement>(null);
  const [frame, setFrame] = useState<Size>({ width: 0, height: 0 });
  const [natural, setNatural] = useState<{ src: string; size: Size } | null>(null);
  const [broken, setBroken] = useState<string | null>(null);
  const photo = props.size ?? (natural?.src === props.src ? natural.size : null);
  const usesFallback = broken === props.src && props.fallback !== undefined;
  const isMissing = broken === props.src && (!usesFallback || broken === props.fallback);

  useLayoutEffect(() => {
    const element = frameRef.current;
    if (!element) return;
    const measure = () => setFrame({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const ready = photo !== null && frame.width > 0;
  useEffect(() => {
    if (ready) props.onFrame?.(frame, photo);
  }, [frame.width, frame.height, photo?.width, photo?.height]);

  const view = props.view;
  const change = (next: (photo: Size, frame: Size) => View) => {
    if (ready) props.onView(next(photo, frame));
  };
  useViewKeys(props.keys !== false, view, change, props.onView);
  const gestures = useGestures(frameRef, view, change);
  const scale = ready ? scaleOf(view, photo, frame) : 1;
  const left = ready ? frame.width / 2 - view.cx * photo.width * scale : 0;
  const top = ready ? frame.height / 2 - view.cy * photo.height * scale : 0;
  const toPhoto = (event: { clientX: number; clientY: number }): [number, number] => {
    const rect = frameRef.current?.getBoundingClientRect();
    return [(event.clientX - (rect?.left ?? 0) - left) / scale, (event.clientY - (rect?.top ?? 0) - top) / scale];
  };

  return (
    <div class="viewer" ref={frameRef} data-zoom={view.zoom.toFixed(3)} data-center={`${view.cx.toFixed(4)} ${view.cy.toFixed(4)}`} {...gestures}>
      <img
        key={usesFallback ? props.fallback : props.src}
        src={usesFallback ? props.fallback : props.src}
        alt={props.alt}
        draggable={false}
        style={ready ? { width: `${photo.width}px`, height: `${photo.height}px`, transform: `translate(${left}px, ${top}px) scale(${scale})` } : { visibility: "hidden" }}
        onLoad={(event) => {
          const { naturalWidth: width, naturalHeight: height } = event.currentTarget;
          setNatural({ src: props.src, size: { width, height } });
          event.currentTarget.dataset["loaded"] = "yes";
        }}
        onError={() => setBroken(usesFallback ? (props.fallback ?? null) : props.src)}
      />
      {isMissing && <p class="viewer-note">{t("photo.pictureMissing", { why: props.src.split("?")[0] ?? "" })}</p>}
      {ready && (
        <svg class="shapes" viewBox={`${-left / scale} ${-top / scale} ${frame.width / scale} ${frame.height / scale}`} aria-hidden="true">
          {props.shapes.map((shape) => (
            <Outline key={shape.id} shape={shape} scale={scale} chosen={shape.id === props.selected} onSelect={props.onSelect} />
          ))}
          {props.tool?.({ photo, scale, view, toPhoto })}
        </svg>
      )}
    </div>
  );
}

interface OutlineProps {
  shape: Shape;
  scale: number;
  chosen: boolean;
  onSelect: ((id: string) => void) | undefined;
}

function Outline({ shape, scale, chosen, onSelect }: OutlineProps) {
  const line = path(shape.polygons);
  const [x, y] = shape.polygons[0]?.outer.reduce((best, p) => (p[1] < best[1] ? p : best)) ?? [0, 0];
  return (
    <g
      class={`shape${chosen ? " chosen" : ""}${shape.dimmed ? " dimmed" : ""}`}
      data-shape={shape.id}
      style={{ "--c": shape.color }}
      onPointerUp={(event) => {
        if (event.button === 0) onSelect?.(shape.id);
      }}
    >
      <path class="casing" d={line} />
      <path class="line" d={line} />
      <g transform={`translate(${x} ${y}) scale(${1 / scale})`} class="tag">
        <circle r="11" cy="-15" />
        <text y="-15" dy="0.36em">{shape.number}</text>
      </g>
    </g>
  );
}

type Change = (next: (photo: Size, frame: Size) => View) => void;

function useViewKeys(on: boolean, view: View, change: Change, set: (view: View) => void) {
  const pan = (dx: number, dy: number) => change((photo, frame) => panned(view, dx, dy, photo, frame));
  const arrows: Record<string, [number, number]> = { ArrowLeft: [-PAN_PX, 0], ArrowRight: [PAN_PX, 0], ArrowUp: [0, -PAN_PX], ArrowDown: [0, PAN_PX] };
  const bindings = [
    { keys: ["+", "="], shown: "+", label: t("key.zoomIn"), run: () => change((p, f) => zoomed(view, STEP, p, f)) },
    { keys: ["-", "_"], shown: "-", label: t("key.zoomOut"), run: () => change((p, f) => zoomed(view, 1 / STEP, p, f)) },
    { keys: ["0"], label: t("key.fit"), run: () => set(WHOLE) },
    { keys: Object.keys(arrows), shown: "← ↑ → ↓", label: t("key.pan"), run: (key: string) => pan(...(arrows[key] ?? [0, 0])) },
  ];
  useKeys(on ? bindings : []);
}

/** Wheel zooms at the pointer, dragging moves, two fingers do both. */
function useGestures(ref: { current: HTMLDivElement | null }, view: View, change: Change) {
  const fingers = useRef(new Map<number, { x: number; y: number }>());
  const now = useRef({ view, change });
  now.current = { view, change };
  useEffect(() => {
    const element = ref.current;
    // Not a property of the element: a handler that may prevent scrolling must not be passive.
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const rect = element?.getBoundingClientRect();
      const at = { x: event.clientX - (rect?.left ?? 0), y: event.clientY - (rect?.top ?? 0) };
      now.current.change((photo, frame) => zoomed(now.current.view, Math.exp(-event.deltaY / 400), photo, frame, at));
    };
    element?.addEventListener("wheel", wheel, { passive: false });
    return () => element?.removeEventListener("wheel", wheel);
  }, []);
  const move = (event: PointerEvent) => {
    const before = fingers.current.get(event.pointerId);
    if (!before) return;
    const others = [...fingers.current].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const after = { x: event.clientX, y: event.clientY };
    fingers.current.set(event.pointerId, after);
    const other = others[0];
    const rect = ref.current?.getBoundingClientRect();
    change((photo, frame) => {
      const share = other ? 0.5 : 1;
      const dragged = panned(view, (before.x - after.x) * share, (before.y - after.y) * share, photo, frame);
      if (!other) return dragged;
      const factor = Math.hypot(after.x - other.x, after.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
      return zoomed(dragged, factor, photo, frame, { x: (after.x + other.x) / 2 - (rect?.left ?? 0), y: (after.y + other.y) / 2 - (rect?.top ?? 0) });
    });
  };
  const end = (event: PointerEvent) => fingers.current.delete(event.pointerId);
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button === 0) fingers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    },
    onPointerMove: move,
    onPointerUp: end,
    onPointerLeave: end,
    onPointerCancel: end,
  };
}
