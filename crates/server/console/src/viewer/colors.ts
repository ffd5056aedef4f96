// A colour for each class: told apart by people who see colours differently (Okabe and Ito), and drawn on a dark casing,
// so that an outline is seen on white and on black paint.
const PALETTE = ["#56b4e9", "#e69f00", "#f0e442", "#cc79a7", "#00c795", "#ff7f4d", "#b3a2ff", "#ffffff"];

/** The colour of a class: by its place among all classes, so that it stays the same from photo to photo. */
export function colorOf(name: string, classes: string[]): string {
  const index = Math.max(0, classes.indexOf(name));
  return PALETTE[index % PALETTE.length] ?? "#ffffff";
}
