// @ts-check
// The values at the pointer, in a line below the chart, with a guide through the chart; arrow keys move it too.

import { bisect } from "./chart_thin.js";
import { format, percent } from "./numbers.js";
import { h } from "./shared.js";

/** A value on an axis: whole numbers as they are, shares in percent, others with the digits that suit the axis. */
export function valueOn({ type, tickformat = "", hoverformat }, value) {
  if (tickformat.endsWith("%")) return percent(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return String(value).replace("-", "−");
  return format(value, hoverformat ? 6 : type === "log" ? 2 : 3);
}

/** The index of the x that is nearest on an axis, and how many pixels away it is. */
function nearest({ x, ascends: sorted }, axis, pixel) {
  const away = (i) => Math.abs(axis.d2p(x[i]) - pixel);
  const after = sorted ? bisect(x, axis.p2d(pixel)) : 0;
  let [best, least] = [-1, Infinity];
  for (let i = Math.max(0, after - 1); i < (sorted ? Math.min(x.length, after + 1) : x.length); i++) {
    if (away(i) < least) [best, least] = [i, away(i)];
  }
  return [best, least];
}

/** `chart` gives `plots()`, the drawn subplots, `told(plot)`, their curves with a name and a color, and `title(axis)`. */
export function useReadout(layer, line, chart) {
  const guide = h("div", { className: "cw-guide", hidden: true });
  layer.append(guide);
  let at = null; // { id, x }: a subplot, and where in it

  const clear = () => {
    at = null;
    guide.hidden = true;
    line.replaceChildren();
  };
  const valueAt = (curve, axis, x) => {
    const last = curve.x.length - 1;
    if (curve.ascends && (x < curve.x[0] || x > curve.x[last])) return "–"; // not beyond its ends
    const [i] = nearest(curve, axis, axis.d2p(x));
    return `${valueOn(curve.up, curve.y[i])}${curve.x[i] === x ? "" : ` (at ${valueOn(axis, curve.x[i])})`}`;
  };
  /** What is told of the curves in a subplot and in those beside it, which have the same x: those of one name together. */
  const rowOf = (plot) => {
    const row = chart.plots().filter(({ xaxis, yaxis }) => yaxis._offset === plot.yaxis._offset && xaxis.type === plot.xaxis.type);
    const found = new Map();
    for (const one of row) {
      for (const curve of chart.told(one)) {
        const word = row.length > 1 ? `${chart.title(one.yaxis)} ` : "";
        const about = { ...curve, up: one.yaxis, axis: one.xaxis, word };
        found.set(curve.name, [...(found.get(curve.name) ?? []), about]);
      }
    }
    return [...found.values()];
  };
  const draw = () => {
    const plot = at && chart.plots().find(({ id }) => id === at.id);
    const curves = plot ? rowOf(plot) : [];
    if (!curves.length) return clear();
    const { xaxis, yaxis } = plot;
    const left = xaxis.d2p(at.x);
    guide.hidden = !(left >= 0 && left <= xaxis._length);
    Object.assign(guide.style, { left: `${xaxis._offset + left}px`, top: `${yaxis._offset}px`, height: `${yaxis._length}px` });
    line.replaceChildren(
      h("span", {}, `${chart.title(xaxis)} ${valueOn(xaxis, at.x)}`),
      ...curves.map((alike) => h("span", { className: "cw-swatch" },
        Object.assign(h("span", { className: "cw-chip" }), { style: `background: ${alike[0].color}` }),
        h("span", { className: "cw-name" }, alike[0].name),
        h("span", { className: "cw-value" }, alike.map((curve) => `${curve.word}${valueAt(curve, curve.axis, at.x)}`).join(", ")))));
    line.style.minHeight = `${Math.max(line.offsetHeight, parseFloat(line.style.minHeight) || 0)}px`; // no jumps
  };
  /** Go to the x that is nearest to a place in the layer. */
  const point = (left, top) => {
    const plot = chart.plots().find(({ xaxis, yaxis }) => [[left, xaxis], [top, yaxis]]
      .every(([pixel, axis]) => pixel >= axis._offset && pixel <= axis._offset + axis._length));
    if (!plot) return clear();
    const found = chart.told(plot).map((curve) => [curve, ...nearest(curve, plot.xaxis, left - plot.xaxis._offset)]);
    const [curve, i] = found.reduce((best, one) => (one[2] < best[2] ? one : best), [null, -1, Infinity]);
    if (!curve) return clear();
    at = { id: plot.id, x: curve.x[i] };
    draw();
  };
  /** Go some points on, in the subplot where it is. */
  const step = (by) => {
    const plot = chart.plots().find(({ id }) => !at || id === at.id);
    if (!plot) return;
    const [from, to] = plot.xaxis.range.map((value) => plot.xaxis.r2d(value)).sort((a, b) => a - b);
    const xs = chart.told(plot).flatMap(({ x, ascends: sorted }) => {
      const i = sorted && at ? bisect(x, at.x) : 0;
      return Array.from(sorted ? x.subarray(Math.max(0, i - 12), i + 13) : x);
    });
    const places = [...new Set(xs.filter((x) => x >= from && x <= to))].sort((a, b) => a - b);
    if (!places.length) return;
    const now = at ? places.indexOf(at.x) : -1;
    at = { id: plot.id, x: places[Math.max(0, Math.min(places.length - 1, now + by))] };
    draw();
  };
  return { draw, clear, point, step };
}
