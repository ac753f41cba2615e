// @ts-check
// The names of classes on the map, each at the middle of its points.

import { elided } from "./shared.js";

const FONT = "px system-ui, sans-serif";
const [LARGE, SMALL, WIDEST, MARGIN] = [15, 13, 130, 4]; // CSS pixels: a short name's letters, a long one's, a name, its margin
const FEW = 4; // points that a name must not cover: it stands above them

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
export function placeNames(context, names, counts, at, size) {
  const [width, height] = size;
  const [order, boxes, placed] = [[...names.keys()].filter((k) => counts[k]), [], []];
  order.sort((a, b) => counts[b] - counts[a] || a - b);
  for (const index of order) {
    const place = at(index);
    if (!place || place[0] < 0 || place[0] > width || place[1] < 0 || place[1] > height) continue;
    const size = names[index].length > 3 ? SMALL : LARGE;
    context.font = `600 ${size}${FONT}`;
    const text = elided(context, names[index], WIDEST);
    const half = context.measureText(text).width / 2 + MARGIN + 1;
    const x = Math.max(half, Math.min(width - half, place[0]));
    const tall = size / 2 + 3;
    const lines = counts[index] < FEW ? [-1, 1] : [0, -1, 1];
    const spots = lines.map((line) => Math.max(tall, Math.min(height - tall, place[1] + line * 2 * tall)));
    const free = spots.find((y) => boxes.every(([left, top, right, bottom]) => (
      x + half < left || x - half > right || y + tall < top || y - tall > bottom)));
    if (free === undefined) continue;
    boxes.push([x - half, free - tall, x + half, free + tall]);
    placed.push({ index, text, x, y: free, size });
  }
  return placed;
}

/** Write placed names, each on a ground of paper framed in its class's color. */
export function drawNames(context, placed, colorOf, paper, ink) {
  Object.assign(context, { textAlign: "center", textBaseline: "middle", lineWidth: 1.5 });
  for (const { index, text, x, y, size } of placed) {
    context.font = `600 ${size}${FONT}`;
    const half = context.measureText(text).width / 2 + MARGIN;
    context.beginPath();
    context.roundRect(x - half, y - size / 2 - 2, 2 * half, size + 4, 4);
    Object.assign(context, { fillStyle: paper, strokeStyle: colorOf(index), globalAlpha: 0.88 });
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
    context.fillStyle = ink;
    context.fillText(text, x, y + 1);
  }
}
