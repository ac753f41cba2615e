// @ts-check
// Findings, the worst first. The chosen one is open: evidence and remedy; of the others there is a line each.

import { h, listen, once, put, stamp } from "./shared.js";

const WORDS = { 3: "alarm", 2: "warning", 1: "hint" };

/** @param {import("./host").Host<import("./traits").FindingsView>} host */
function render({ model, el }) {
  const title = h("div", { className: "cw-title" });
  const list = h("ol", { className: "cw-findings-rows" });
  const nothing = h("p", { className: "cw-findings-nothing" });
  const root = h("div", { className: "cw cw-findings" }, title, list, nothing);
  el.append(root);

  const item = (row, index) => {
    const open = index === model.get("selected");
    const { name, where, evidence, remedy, severity } = row;
    const mark = h("span", { className: `cw-findings-mark cw-findings-${WORDS[severity]}`, title: WORDS[severity], role: "img", "aria-label": WORDS[severity] });
    const head = h("button", { type: "button", className: "cw-findings-head", "aria-expanded": String(open) }, mark,
      h("span", { className: "cw-findings-name" }, name), h("span", { className: "cw-findings-where" }, where));
    head.addEventListener("click", () => put(model, { selected: open ? -1 : index }));
    const body = open ? [h("p", {}, evidence), h("p", { className: "cw-findings-remedy" }, remedy)] : [];
    return h("li", {}, head, ...body);
  };
  const paint = () => {
    const page = /** @type {Document | ShadowRoot} */ (root.getRootNode());
    const focused = [...list.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (page.activeElement));
    const rows = model.get("rows");
    title.textContent = model.get("title");
    list.replaceChildren(...rows.map(item));
    list.hidden = !rows.length;
    nothing.hidden = rows.length > 0;
    nothing.textContent = model.get("nothing");
    root.style.maxHeight = `${model.get("height")}px`;
    if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
    stamp(root);
  };
  const untie = listen(model, ["rows", "nothing", "title", "selected", "height"], once(paint));
  paint();
  return untie;
}

export default { render };
