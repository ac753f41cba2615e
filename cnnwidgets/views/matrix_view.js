// @ts-check
// Small matrices with a number in every cell, colored around zero.

import { colorTable, cssColor, h, inkOn, listen, once, stamp, typed } from "./shared.js";
import { format } from "./numbers.js";

const MOST_NUMBERS = 7; // columns: larger kernels are dots, which fit side by side

/** @param {import("./host").Host<import("./traits").MatrixView>} host */
function render({ model, el }) {
  const box = h("div", { className: "cw-matrices" });
  const line = h("div", { className: "cw-line" });
  const root = h("div", { className: "cw", "data-lm-suppress-shortcuts": "true" }, box, line);
  el.append(root);
  const table = colorTable("diverging");

  const paint = () => {
    const [count, height, width] = model.get("shape");
    const values = typed(Float32Array, model.get("values"));
    const limit = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
    const titles = model.get("titles");
    box.replaceChildren();
    box.style.maxHeight = model.get("height") ? `${model.get("height")}px` : "";
    for (let k = 0; k < count; k++) {
      const numbers = width <= MOST_NUMBERS;
      const rows = Array.from({ length: height }, (_, i) =>
        h("tr", {}, ...Array.from({ length: width }, (_, j) => {
          const v = values[(k * height + i) * width + j];
          const level = Math.round(127.5 + (v / limit) * 127.5);
          const cell = h("td", { title: format(v) }, numbers ? format(Number(v.toFixed(3))) : "");
          cell.style.background = cssColor(table[level]);
          cell.style.color = inkOn(table[level]);
          return cell;
        })));
      const grid = h("table", { className: numbers ? "cw-numbers" : "cw-dots" }, h("caption", {}, titles[k] ?? ""), h("tbody", {}, ...rows));
      box.append(grid);
    }
    box.tabIndex = box.scrollHeight > box.clientHeight ? 0 : -1; // scrolled with the arrow keys
    line.textContent = model.get("caption");
    stamp(root);
  };

  const end = listen(model, ["values", "shape", "titles", "caption", "height"], once(paint));
  paint();
  return end;
}

export default { render };
