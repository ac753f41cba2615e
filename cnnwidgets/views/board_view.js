// @ts-check
// A leader board: names with a number and a bar each. A row that overtakes another moves past it.

import { h, listen, once, stamp } from "./shared.js";

const MOVE = 250; // ms

/** @param {import("./host").Host<import("./traits").BoardView>} host */
function render({ model, el }) {
  const title = h("div", { className: "cw-title" });
  const list = h("ol", { className: "cw-board-rows" });
  const root = h("div", { className: "cw cw-board" }, title, list);
  el.append(root);
  const items = new Map(); // by the rows' names

  const make = () => {
    const item = h("li", {}, h("span", { className: "cw-board-place" }), h("span", { className: "cw-chip" }), h("span", { className: "cw-board-name" }),
      h("span", { className: "cw-board-text" }), h("div", { className: "cw-board-track" }, h("div", { className: "cw-board-bar" })),
      h("div", { className: "cw-board-note" }));
    return item;
  };
  const fill = (item, row, place) => {
    const { name, text, share, color, note } = row;
    const [number, chip, label, value, track, remark] = item.children;
    number.textContent = `${place}.`;
    chip.style.background = color;
    label.textContent = label.title = name;
    value.textContent = text;
    track.hidden = share === null;
    Object.assign(track.firstChild.style, { width: `${100 * (share ?? 0)}%`, background: color });
    remark.textContent = note;
    remark.hidden = !note;
  };
  const paint = () => {
    const before = new Map([...items].map(([name, item]) => [name, item.offsetTop]));
    const rows = model.get("rows");
    title.textContent = model.get("title");
    const now = rows.map((row, i) => {
      if (!items.has(row.name)) items.set(row.name, make());
      fill(items.get(row.name), row, i + 1);
      return items.get(row.name);
    });
    for (const [name, item] of items) if (!now.includes(item)) items.delete(name);
    list.replaceChildren(...now);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
      for (const [name, item] of items) {
        const by = (before.get(name) ?? item.offsetTop) - item.offsetTop;
        if (by) item.animate([{ translate: `0 ${by}px` }, { translate: "0 0" }], { duration: MOVE, easing: "ease-out" });
      }
    }
    stamp(root);
  };
  const untie = listen(model, ["rows", "title"], once(paint));
  paint();
  return untie;
}

export default { render };
