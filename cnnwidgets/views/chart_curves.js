// @ts-check
// A figure's curves as numbers: from lists, plotly's base64 arrays, columns beside the figure, and what was appended.

import { LONG, ascends, bisect, thin } from "./chart_thin.js";
import { typed } from "./shared.js";

const KINDS = {
  f8: Float64Array, f4: Float32Array, i4: Int32Array, u4: Uint32Array, i2: Int16Array, u2: Uint16Array, i1: Int8Array, u1: Uint8Array,
};

function bytesOf(text) {
  // @ts-expect-error: newer than the types
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text); // ten times as fast
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** A trace's values as numbers; null if they are none (dates, categories). @returns {any} */
function numbersOf(values) {
  if (ArrayBuffer.isView(values)) return values;
  const numeric = values?.every((value) => value === null || typeof value === "number");
  return numeric ? Float64Array.from(values, (value) => value ?? NaN) : null;
}

/** A figure from its JSON, its columns as numbers. */
export function figureOf(text, columns) {
  const figure = JSON.parse(text || "null");
  for (const trace of figure?.data ?? []) {
    for (const axis of ["x", "y"]) {
      const { dtype, bdata, column, shape } = trace[axis] ?? {};
      if (dtype && !shape) trace[axis] = typed(KINDS[dtype], column ? columns[column] : bytesOf(bdata));
    }
  }
  return figure;
}

/** A figure's curves, {trace, x, y}; x and y are null where a trace is no curve of numbers. */
export function curvesOf(figure, appended, draggable) {
  return figure.data.map((trace, number) => {
    if (!/^scatter(gl)?$/.test(trace.type ?? "scatter")) return { trace, x: null, y: null };
    const y = numbersOf(trace.y ?? []);
    const x = trace.x ? numbersOf(trace.x) : y?.map((_, i) => (trace.x0 ?? 0) + i * (trace.dx ?? 1));
    if (!x || !y) return { trace, x: null, y: null };
    const more = typed(Float64Array, appended[number]);
    const whole = !more.length && !draggable.includes(number);
    const [xs, ys] = whole ? [x, y] : [x, y].map((old, k) => joined(old, more, k));
    return { trace: whole ? trace : { ...trace, x: xs, y: ys }, x: xs, y: ys, ascends: ascends(xs) };
  });
}

/** Numbers, and every second of some more, as numbers of a column's own. */
function joined(old, more, first) {
  const all = new Float64Array(old.length + more.length / 2);
  all.set(old);
  for (let i = old.length, k = first; i < all.length; i++, k += 2) all[i] = more[k];
  return all;
}

/** Keep what the kernel appends in the model's own state: for views to come, and for saved pages. */
export function keepAppended(model, held) {
  const keep = (message, buffers) => {
    if (message?.kind !== "extend") return;
    const appended = model.get("appended"); // changed in place: what is set would be sent back to the kernel
    const missed = message.starts.filter(([curve, start], i) => {
      const [before, more] = [appended[curve], buffers[i]].map((bytes) => typed(Float64Array, bytes));
      if (before.length < 2 * start) return true;
      const all = new Float64Array(2 * start + more.length); // from the start: a state may have brought them already
      all.set(before.subarray(0, 2 * start));
      all.set(more, 2 * start);
      appended[curve] = new DataView(all.buffer);
      return false;
    });
    if (missed.length) model.send({ kind: "appended" });
  };
  held.forEach((each) => keep(...each));
  model.on("msg:custom", keep);
}

/** What plotly draws of a curve: all of it, or what `thin` keeps, whose indices it gives as `kept`. */
export function drawnOf({ trace, x, y, ascends: sorted }, range, columns, logX, logY) {
  const long = (trace.mode ?? "lines") === "lines" && (trace.type ?? "scatter") === "scatter" && !trace.stackgroup;
  if (!long || !sorted || x.length <= LONG) return { trace: { ...trace } };
  const value = (at) => (logX ? Math.log10(at) : at);
  const start = logX ? bisect(x, Number.MIN_VALUE) : 0;
  const kept = thin(x, y, range ?? [value(x[start] ?? 1), value(x.at(-1))], columns, logX, logY);
  const part = (values) => Float64Array.from(kept, (i) => values[i]);
  const some = { ...trace, x: part(x), y: part(y) };
  for (const name of ["text", "hovertext", "customdata", "ids"]) {
    if (Array.isArray(trace[name])) some[name] = Array.from(kept, (i) => trace[name][i]);
  }
  return { trace: some, kept };
}
