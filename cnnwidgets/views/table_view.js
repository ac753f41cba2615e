// @ts-check
// A table of which one row is selected, with a click or the arrow keys.

import { h, listen, once, put, stamp, watch } from "./shared.js";

/** A name that may be broken after its dots and before its capitals. */
const parted = (text) => text.split(/(?<=\.)|(?<=[a-z])(?=[A-Z])/).flatMap((part, k) => (k ? [h("wbr"), part] : [part]));

/** @param {import("./host").Host<import("./traits").TableView>} host */
function render({ model, el }) {
  const body = h("tbody");
  const head = h("thead");
  const table = h("table", { tabIndex: 0, role: "grid" }, head, body);
  const scroll = h("div", { className: "cw-rows" }, table);
  el.append(h("div", { className: "cw cw-table", "data-lm-suppress-shortcuts": "true" }, scroll));
  const id = `cw-row-${Math.random().toString(36).slice(2)}-`;

  const reload = () => {
    const [left, spare] = [model.get("left"), model.get("spare")];
    const line = (cells, tag) => h("tr", {}, ...cells.map((text, k) => h(tag, { title: text, className: k < left ? "cw-left" : k === spare ? "cw-spare" : "" }, ...parted(text))));
    head.replaceChildren(line(model.get("heads"), "th"));
    body.replaceChildren(...model.get("rows").map((cells, index) => {
      const row = line(cells, "td");
      Object.assign(row, { id: id + index });
      row.addEventListener("click", () => choose(index));
      return row;
    }));
    table.setAttribute("aria-label", model.get("description"));
    table.setAttribute("aria-disabled", String(model.get("locked")));
    scroll.style.maxHeight = `${model.get("height")}px`;
    fit();
  };

  /** All columns that there is room for: none is cut. */
  const fit = () => {
    scroll.classList.remove("cw-tight");
    scroll.classList.toggle("cw-tight", scroll.scrollWidth > scroll.clientWidth);
    mark();
  };

  const mark = () => {
    const selected = model.get("selected");
    [...body.children].forEach((row, index) => row.setAttribute("aria-selected", String(index === selected)));
    table.setAttribute("aria-activedescendant", selected >= 0 ? id + selected : "");
    const row = body.children[selected];
    if (row) { // scrolls the list alone, never the page
      const [top, bottom] = [row.offsetTop - head.offsetHeight, row.offsetTop + row.offsetHeight];
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      else if (bottom > scroll.scrollTop + scroll.clientHeight) {
        const least = bottom - scroll.clientHeight; // and on to where a row begins: none is cut under the head
        const first = [...body.children].find((one) => one.offsetTop - head.offsetHeight >= least);
        scroll.scrollTop = (first ?? row).offsetTop - head.offsetHeight;
      }
    }
    stamp(scroll);
  };

  const choose = (index) => {
    if (!model.get("locked")) put(model, { selected: Math.max(0, Math.min(body.children.length - 1, index)) });
  };

  table.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const selected = model.get("selected");
    const to = {
      ArrowUp: selected - 1, ArrowDown: selected + 1, PageUp: selected - 8, PageDown: selected + 8,
      Home: 0, End: body.children.length - 1,
    }[event.key];
    if (to === undefined) return;
    choose(to);
    event.preventDefault();
    event.stopPropagation();
  });

  const ends = [listen(model, ["rows", "heads", "spare", "height", "description", "locked"], once(reload)), listen(model, ["selected"], mark), watch(scroll, fit)];
  reload();
  return () => ends.forEach((end) => end());
}

export default { render };
