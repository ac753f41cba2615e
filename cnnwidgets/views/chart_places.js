// @ts-check
// Names for places along the x axis of the first subplot: each is a button that puts the line there.

import { h, put } from "./shared.js";

const NAMED_ROW = 24; // CSS pixels from one row of names to the next; the line's own label is above the first

export function usePlaces(layer, model, chart) {
  const root = h("div", { className: "cw-places", role: "group", "aria-label": "Named places" });
  layer.append(root);
  let shown = "";

  const fill = () => {
    const places = model.get("places");
    const now = JSON.stringify(places);
    if (now === shown) return;
    shown = now;
    root.replaceChildren(...places.map(([x, words]) => {
      const button = h("button", { type: "button", className: "cw-place-name" }, words);
      button.addEventListener("click", () => put(model, { line: x }));
      return h("div", { className: "cw-place-at" }, button);
    }));
  };
  const draw = () => {
    const [plot] = chart.plots();
    root.hidden = !plot || !model.get("places").length;
    if (root.hidden) return;
    fill();
    const { xaxis, yaxis } = plot;
    const rows = []; // how far to the right each is taken
    const before = (model.get("places").length - 1) / 2; // names of the first half are left of their places
    model.get("places").forEach(([x], i) => {
      const mark = root.children[i];
      const left = xaxis.d2p(x);
      mark.hidden = !(left >= -1 && left <= xaxis._length + 1);
      if (mark.hidden) return;
      const button = mark.firstChild;
      button.disabled = model.get("fixed");
      const width = button.offsetWidth;
      const turned = left + width > xaxis._length || (i < before && left > width);
      const from = turned ? left - width : left;
      let row = rows.findIndex((end) => end + 6 < from);
      if (row < 0) row = rows.push(0) - 1;
      rows[row] = from + width;
      const top = NAMED_ROW * (row + 1);
      mark.classList.toggle("cw-turned", turned);
      Object.assign(mark.style, { left: `${xaxis._offset + left}px`, top: `${yaxis._offset + top}px`, height: `${yaxis._length - top}px` });
    });
  };
  return { draw };
}
