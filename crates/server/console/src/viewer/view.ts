// Which part of a photo is shown, in terms that fit any photo: zoom against "whole photo fits", and the centre as shares.
import type { Box } from "../geometry";

export interface View {
  zoom: number;
  cx: number;
  cy: number;
}

export interface Size {
  width: number;
  height: number;
}

export const WHOLE: View = { zoom: 1, cx: 0.5, cy: 0.5 };
const ZOOM_MAX = 40;

/** Pixels of the screen for a pixel of the photo. */
export function scaleOf(view: View, photo: Size, frame: Size): number {
  return Math.min(frame.width / photo.width, frame.height / photo.height) * view.zoom;
}

/** Keeps the photo in the frame: whole and centred at zoom 1, never dragged out of sight beyond it. */
export function bounded(view: View, photo: Size, frame: Size): View {
  const zoom = Math.min(ZOOM_MAX, Math.max(1, view.zoom));
  const scale = scaleOf({ ...view, zoom }, photo, frame);
  const within = (centre: number, shown: number) => {
    const half = Math.min(0.5, shown / 2);
    return Math.min(1 - half, Math.max(half, centre));
  };
  return {
    zoom,
    cx: within(view.cx, frame.width / (photo.width * scale)),
    cy: within(view.cy, frame.height / (photo.height * scale)),
  };
}

/** Zooms by a factor; the point of the photo at `at` (pixels of the frame) stays where it is. */
export function zoomed(view: View, factor: number, photo: Size, frame: Size, at?: { x: number; y: number }): View {
  const zoom = Math.min(ZOOM_MAX, Math.max(1, view.zoom * factor));
  const [dx, dy] = at ? [at.x - frame.width / 2, at.y - frame.height / 2] : [0, 0];
  const before = scaleOf(view, photo, frame);
  const after = scaleOf({ ...view, zoom }, photo, frame);
  const shift = 1 / before - 1 / after;
  return bounded({ zoom, cx: view.cx + (dx * shift) / photo.width, cy: view.cy + (dy * shift) / photo.height }, photo, frame);
}

/** Moves what is shown by pixels of the frame. */
export function panned(view: View, dx: number, dy: number, photo: Size, frame: Size): View {
  const scale = scaleOf(view, photo, frame);
  return bounded({ ...view, cx: view.cx + dx / scale / photo.width, cy: view.cy + dy / scale / photo.height }, photo, frame);
}

/** Shows a box with room around it. */
export function focusedOn(box: Box, photo: Size, frame: Size): View {
  const fit = scaleOf(WHOLE, photo, frame);
  const room = 2.2;
  const scale = Math.min(frame.width / (box.width * room), frame.height / (box.height * room));
  const view = { zoom: scale / fit, cx: (box.x + box.width / 2) / photo.width, cy: (box.y + box.height / 2) / photo.height };
  return bounded({ ...view, zoom: Math.min(view.zoom, 12) }, photo, frame);
}
