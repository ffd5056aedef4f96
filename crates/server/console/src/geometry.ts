// Polygons in pixels of the upright original.
import type { Finding, Point, Polygon } from "./types";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A tenth of a pixel, as reports have it. */
const tenth = (value: number) => Math.round(value * 10) / 10;

export function path(polygons: Polygon[]): string {
  const ring = (points: Point[]) => points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x} ${y}`).join("") + "Z";
  return polygons.map((p) => ring(p.outer) + p.holes.map(ring).join("")).join("");
}

/** What is drawn of a finding: its outlines, or its box where the network gives no more. */
export function outlines(finding: Finding): Polygon[] {
  if (finding.polygons.length > 0) return finding.polygons;
  const [x, y, width, height] = finding.bbox;
  return [{ outer: [[x, y], [x + width, y], [x + width, y + height], [x, y + height]], holes: [] }];
}

export function boxOf(polygons: Polygon[]): Box {
  const points = polygons.flatMap((p) => p.outer);
  const xs = points.map((p) => p[0]);
  const ys = points.map((p) => p[1]);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

export function moved(polygons: Polygon[], dx: number, dy: number): Polygon[] {
  const move = ([x, y]: Point): Point => [tenth(x + dx), tenth(y + dy)];
  return polygons.map((p) => ({ outer: p.outer.map(move), holes: p.holes.map((hole) => hole.map(move)) }));
}

/** Which corner: its part, and its index in the outline of that part. */
export interface Corner {
  part: number;
  index: number;
}

/** Every corner of every outline, in order. Holes go with their outline and are not edited. */
export function corners(polygons: Polygon[]): Corner[] {
  return polygons.flatMap((polygon, part) => polygon.outer.map((_, index) => ({ part, index })));
}

const withOuter = (polygons: Polygon[], part: number, outer: (points: Point[]) => Point[]) =>
  polygons.map((p, i) => (i === part ? { ...p, outer: outer(p.outer) } : p));

export function cornerMoved(polygons: Polygon[], { part, index }: Corner, to: Point): Polygon[] {
  const point: Point = [tenth(to[0]), tenth(to[1])];
  return withOuter(polygons, part, (outer) => outer.map((p, i) => (i === index ? point : p)));
}

/** Without a corner; an outline keeps at least three. */
export function cornerRemoved(polygons: Polygon[], { part, index }: Corner): Polygon[] {
  return withOuter(polygons, part, (outer) => (outer.length > 3 ? outer.filter((_, i) => i !== index) : outer));
}

/** With a corner in the middle of the edge that begins at `index`. */
export function cornerAdded(polygons: Polygon[], { part, index }: Corner): Polygon[] {
  return withOuter(polygons, part, (outer) => {
    const [a, b] = [outer[index], outer[(index + 1) % outer.length]];
    if (!a || !b) return outer;
    const middle: Point = [tenth((a[0] + b[0]) / 2), tenth((a[1] + b[1]) / 2)];
    return [...outer.slice(0, index + 1), middle, ...outer.slice(index + 1)];
  });
}

export function cornerAt(polygons: Polygon[], { part, index }: Corner): Point | undefined {
  return polygons[part]?.outer[index];
}
