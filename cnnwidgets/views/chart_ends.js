// @ts-check
// The names of curves at their ends, spread so that none hides another.

import { h } from "./shared.js";

const END_LINE = 19; // CSS pixels from one name to the next
const AXIS = 56; // CSS pixels of the numbers and the title left of a subplot

/** The last point of a curve that has both numbers, or null. */
function endOf({ x, y }) {
  for (let i = (x?.length ?? 0) - 1; i >= 0; i--) if (Number.isFinite(y[i])) return [x[i], y[i]];
  return null;
}

/** Places from the first to the last, in order, at least so far apart and as near as that allows to where they should be. */
export function spread(places, apart, last) {
  const found = places.map((place) => Math.min(place, last));
  for (let i = 1; i < found.length; i++) found[i] = Math.max(found[i], found[i - 1] + apart);
  for (let i = found.length - 1, most = last; i >= 0; i--, most -= apart) found[i] = Math.min(found[i], most);
  return found;
}

export function useEnds(layer, model, chart) {
  const root = h("div", { className: "cw-ends", "aria-hidden": "true" }); // the readout says the names
  layer.append(root);

  const draw = () => {
    const curves = chart.curves();
    const labels = [];
    for (const plot of chart.plots()) {
      const { xaxis, yaxis } = plot;
      const ends = model.get("ended").flatMap((number) => {
        const end = chart.place(number) === plot && endOf(curves[number]);
        return end ? [{ trace: curves[number].trace, left: xaxis.d2p(end[0]), top: Math.max(0, yaxis.d2p(end[1])) }] : [];
      }).sort((a, b) => a.top - b.top);
      const tops = spread(ends.map((end) => end.top), END_LINE, yaxis._length);
      const next = chart.plots().map((one) => one.xaxis._offset - AXIS).filter((at) => at > xaxis._offset);
      ends.forEach(({ trace, left }, i) => {
        const chip = h("span", { className: "cw-chip" });
        chip.style.background = trace.line?.color ?? "currentColor";
        const label = h("span", { className: "cw-end", title: trace.name }, chip, h("span", {}, trace.meta ?? trace.name));
        const at = xaxis._offset + left + 6;
        Object.assign(label.style, { left: `${at}px`, top: `${yaxis._offset + tops[i]}px`, maxWidth: `${Math.max(72, Math.min(layer.clientWidth, ...next) - at - 8)}px` });
        labels.push(label);
      });
    }
    root.replaceChildren(...labels);
  };
  return { draw };
}
