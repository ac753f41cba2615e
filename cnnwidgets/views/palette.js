// @ts-check
// One color per class, by its index, as in `palette.py`.

const CLASS_COLORS = ["#d48205", "#7d8aff", "#267c39", "#d60c0b", "#8737f7", "#3ba591", "#626a8c", "#965967", "#959867", "#ac84b6"];
const TONES = [[0, 0], [0, 0.35], [255, 0.45]];

/** The color of a class. Thirty classes have one of their own. */
export function classColor(index) {
  const color = CLASS_COLORS[index % CLASS_COLORS.length];
  const [other, share] = TONES[Math.floor(index / CLASS_COLORS.length) % TONES.length];
  const parts = [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
  return `#${parts.map((part) => Math.floor(part + share * (other - part) + 0.5).toString(16).padStart(2, "0")).join("")}`;
}
