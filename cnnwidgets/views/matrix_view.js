// Small matrices with a number in every cell, colored around zero.

import { colorTable, cssColor, h, listen, once, stamp, typed } from "./shared.js";
import { format } from "./numbers.js";

const MOST_NUMBERS = 16;

function render({ model, el }) {
  const root = h("div", { className: "cw cw-matrices", "data-lm-suppress-shortcuts": "true" });
  el.append(root);
  const table = colorTable("diverging");

  const paint = () => {
    const [count, height, width] = model.get("shape");
    const values = typed(Float32Array, model.get("values"));
    const limit = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;
    const titles = model.get("titles");
    root.replaceChildren();
    for (let k = 0; k < count; k++) {
      const numbers = width <= MOST_NUMBERS;
      const rows = Array.from({ length: height }, (_, i) =>
        h("tr", {}, ...Array.from({ length: width }, (_, j) => {
          const v = values[(k * height + i) * width + j];
          const level = Math.round(127.5 + (v / limit) * 127.5);
          const cell = h("td", { title: format(v) }, numbers ? format(Number(v.toFixed(3))) : "");
          cell.style.background = cssColor(table[level]);
          cell.style.color = level < 55 || level > 200 ? "white" : "black";
          return cell;
        })));
      const grid = h("table", { className: numbers ? "cw-numbers" : "cw-dots" }, h("caption", {}, titles[k] ?? ""), h("tbody", {}, ...rows));
      root.append(grid);
    }
    root.append(h("div", { className: "cw-line" }, model.get("caption")));
    stamp(root);
  };

  const end = listen(model, ["values", "shape", "titles", "caption"], once(paint));
  paint();
  return end;
}

export default { render };
