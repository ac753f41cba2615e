// @ts-check
// A unit between those that it reads and those that read it; lines as wide as weights.

import { colorTable, h, listen, once, put, stamp, typed } from "./shared.js";
import { format } from "./numbers.js";

const THICKEST = 10; // CSS pixels of the line of the largest weight
const SVG = "http://www.w3.org/2000/svg";

/** @param {import("./host").Host<import("./traits").ConnectionsView>} host */
function render({ model, el }) {
  const title = h("div", { className: "cw-title" });
  const head = h("div", { className: "cw-graph-head" }, h("span"), h("span"));
  const lines = document.createElementNS(SVG, "svg");
  lines.setAttribute("viewBox", "0 0 100 100");
  lines.setAttribute("preserveAspectRatio", "none");
  lines.setAttribute("aria-hidden", "true");
  const [before, after] = [h("div", { className: "cw-graph-side", role: "group" }), h("div", { className: "cw-graph-side", role: "group" })];
  const middle = h("div", { className: "cw-middle" }, lines);
  const graph = h("div", { className: "cw-graph" }, before, middle, after);
  const line = h("div", { className: "cw-line" });
  const root = h("div", { className: "cw", "data-lm-suppress-shortcuts": "true" }, title, head, graph, line);
  el.append(root);
  const table = colorTable("viridis");

  /** One of the maps, in color. */
  const tile = (number) => {
    const [count, height, width] = model.get("shape");
    const canvas = h("canvas", { width, height, "aria-hidden": "true" });
    if (number >= count) return canvas;
    const levels = typed(Uint8Array, model.get("pixels")).subarray(number * height * width, (number + 1) * height * width);
    const image = new ImageData(width, height);
    new Uint32Array(image.data.buffer).set(Uint32Array.from(levels, (level) => table[level]));
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };

  const node = (one, side, number, place) => {
    const words = h("span", {}, h("span", {}, one.name), h("span", {}, format(one.value)));
    const button = h("button", { type: "button", className: "cw-node", title: one.told ?? "", disabled: model.get("locked"), "aria-label": `${one.name}, ${format(one.value)}` }, tile(place), words);
    button.addEventListener("click", () => put(model, { chosen: [side, number] }));
    return button;
  };

  const paint = () => {
    const sides = [model.get("before"), model.get("after")];
    const most = Math.max(...sides.flat().map(({ value }) => Math.abs(value)), 0) || 1;
    title.textContent = model.get("title");
    line.textContent = model.get("caption");
    line.hidden = !line.textContent;
    graph.style.height = `${model.get("height")}px`;
    graph.hidden = head.hidden = !model.get("here");
    lines.replaceChildren();
    [before, after].forEach((box, side) => {
      const nodes = sides[side];
      head.children[side].textContent = model.get("heads")[side];
      box.setAttribute("aria-label", model.get("heads")[side]);
      box.replaceChildren(...nodes.map((one, k) => node(one, side, k, 1 + side * sides[0].length + k)));
      if (!nodes.length) box.append(h("div", { className: "cw-graph-none" }, model.get("ends")[side]));
      nodes.forEach(({ value }, k) => {
        const stroke = document.createElementNS(SVG, "line");
        const [x, y] = [side * 100, (100 * (k + 0.5)) / nodes.length];
        for (const [name, at] of Object.entries({ x1: x, y1: y, x2: 50, y2: 50 })) stroke.setAttribute(name, String(at));
        stroke.style.strokeWidth = String(Math.max(0.75, (THICKEST * Math.abs(value)) / most));
        stroke.dataset.sign = value < 0 ? "-" : "+";
        lines.append(stroke);
      });
    });
    middle.replaceChildren(lines, h("div", {}, tile(0), h("span", {}, model.get("here"))));
    stamp(root);
  };

  const traits = /** @type {const} */ (["before", "after", "here", "pixels", "shape", "ends", "heads", "locked", "height", "title", "caption"]);
  const end = listen(model, traits, once(paint));
  paint();
  return end;
}

export default { render };
