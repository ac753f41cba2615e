// The names of classes on the map, each at the middle of its points.

import { elided } from "./shared.js";

const FONT = 'px system-ui, sans-serif';
const [LARGE, SMALL, WIDEST] = [15, 13, 130]; // CSS pixels: of a short name's letters, of a long one's, and of a name
const CONTRAST = 4.5;

const channels = (word) => [word & 255, (word >> 8) & 255, (word >> 16) & 255];

/** How light a color is, from 0 to 1 (WCAG 2). */
function lightness(color) {
  const [red, green, blue] = color.map((value) => (value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one, other) {
  const [dark, light] = [lightness(one), lightness(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** A class's color as text on paper: as much ink is mixed in as reading takes. Colors are words. */
export function inkOf(word, paper, ink) {
  const [from, to, under] = [word, ink, paper].map(channels);
  for (let part = 0; part < 1; part += 0.1) {
    const mixed = from.map((value, k) => Math.round(value + (to[k] - value) * part));
    if (contrast(mixed, under) >= CONTRAST) return `rgb(${mixed.join(" ")})`;
  }
  return `rgb(${to.join(" ")})`;
}

const median = (values) => values.sort()[values.length >> 1];

/** [x, y] of each class's middle: the medians of its points that are shown; null where there are none. */
export function middles(points, groups, shown, count) {
  const [xs, ys] = [0, 1].map(() => Array.from({ length: count }, () => []));
  for (let i = 0; i < shown.length; i++) {
    if (!shown[i] || groups[i] >= count) continue;
    xs[groups[i]].push(points[2 * i]);
    ys[groups[i]].push(points[2 * i + 1]);
  }
  return xs.map((own, k) => (own.length ? [median(Float32Array.from(own)), median(Float32Array.from(ys[k]))] : null));
}

/**
 * Where names stand: {index, text, x, y, size}, none over another. Those of large classes are placed first; where a name
 * has no room it is moved up or down by a line, or left out.
 *
 * `at(index)` gives the place of a class's middle on the screen, or null; `counts` the points of each.
 */
export function placeNames(context, names, counts, at, [width, height]) {
  const [order, boxes, placed] = [[...names.keys()].filter((k) => counts[k]), [], []];
  order.sort((a, b) => counts[b] - counts[a] || a - b);
  for (const index of order) {
    const place = at(index);
    if (!place || place[0] < 0 || place[0] > width || place[1] < 0 || place[1] > height) continue;
    const size = names[index].length > 3 ? SMALL : LARGE;
    context.font = `600 ${size}${FONT}`;
    const text = elided(context, names[index], WIDEST);
    const half = context.measureText(text).width / 2 + 2;
    const x = Math.max(half, Math.min(width - half, place[0]));
    const spots = [0, -1, 1].map((lines) => Math.max(size, Math.min(height - size, place[1] + lines * (size + 4))));
    const free = spots.find((y) => boxes.every(([left, top, right, bottom]) => (
      x + half < left || x - half > right || y + size / 2 + 1 < top || y - size / 2 - 1 > bottom)));
    if (free === undefined) continue;
    boxes.push([x - half, free - size / 2 - 1, x + half, free + size / 2 + 1]);
    placed.push({ index, text, x, y: free, size });
  }
  return placed;
}

/** Write placed names, in their colors with a rim of paper. */
export function drawNames(context, placed, colorOf, paper) {
  Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 4, strokeStyle: paper });
  for (const { index, text, x, y, size } of placed) {
    context.font = `600 ${size}${FONT}`;
    context.strokeText(text, x, y);
    context.fillStyle = colorOf(index);
    context.fillText(text, x, y);
  }
}
