// @ts-check
// The classes of the points: what they look like, how many there are, which are hidden.

import { grouped } from "./scatter_card.js";
import { shapeOf } from "./scatter_marks.js";
import { h } from "./shared.js";

const SEARCH_FROM = 13; // names

/**
 * A legend with one button per class that occurs, by their number of points, and a search box if there are many.
 *
 * `put(hidden)` hides classes, `select(classes, add)` selects their points.
 */
export function classLegend(model, put, select) {
  const find = "Find classes: type a part of a name; Enter selects the points";
  const search = h("input", { type: "search", placeholder: "find classes", title: find, "aria-label": find });
  const hint = "Click a class to hide or show it; double-click or Shift+click it to see it alone.";
  const list = h("div", { className: "cw-classes", role: "group", "aria-label": hint, title: hint });
  const all = h("button", { className: "cw-all" }, "show all classes");
  const others = h("div", { className: "cw-others" });
  const element = h("div", { className: "cw-legend-box" }, search, list, others, all);
  let buttons = [], before = "";

  const locked = () => model.get("lock").includes("hidden");
  const hide = (hidden) => locked() || put(hidden.sort((a, b) => a - b));
  const toggle = (index) => {
    const hidden = model.get("hidden");
    hide(hidden.includes(index) ? hidden.filter((one) => one !== index) : [...hidden, index]);
  };
  const isolate = (index) => {
    const others = buttons.map((_, other) => other).filter((other) => other !== index);
    const alone = model.get("hidden").length === others.length && !model.get("hidden").includes(index);
    hide(alone ? [] : others);
  };

  const entry = (tag, name, kind, count) => h(tag, { className: "cw-class", title: name },
    h("span", { className: `cw-chip ${kind}` }),
    h("span", { className: "cw-name" }, name),
    h("span", { className: "cw-count" }, grouped(count)),
  );
  const buttonOf = (name, index, count, color) => {
    const button = entry("button", name, `cw-shape-${shapeOf(index)}`, count);
    button.firstChild.style.background = color;
    button.addEventListener("click", (event) => (event.shiftKey ? isolate(index) : toggle(index)));
    button.addEventListener("dblclick", (event) => event.shiftKey || isolate(index));
    return button;
  };

  const matches = () => {
    const text = search.value.trim().toLowerCase();
    return model.get("names").flatMap((name, index) => (text && name.toLowerCase().includes(text) ? [index] : []));
  };
  const filter = () => {
    const found = new Set(matches());
    buttons.forEach((button, index) => (button.hidden = Boolean(search.value.trim()) && !found.has(index)));
  };
  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && search.value.trim()) select(matches(), event.ctrlKey || event.metaKey);
    else if (event.key === "Escape") search.value = "";
    else return;
    filter();
  });
  all.addEventListener("click", () => hide([]));

  const mark = () => {
    const hidden = new Set(model.get("hidden"));
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(!hidden.has(index))));
    all.hidden = locked();
    all.style.visibility = hidden.size ? "" : "hidden"; // its room is kept
    list.title = locked() ? "" : hint;
  };
  /** Show the points of each class, and last of none, with the classes' colors, and how many points were added. */
  const show = (counts, colors, added) => {
    const names = model.get("names");
    const now = JSON.stringify([names, Array.from(counts), colors, added]);
    if (now === before) return;
    before = now;
    buttons = names.map((name, index) => buttonOf(name, index, counts[index], colors[index % colors.length]));
    const many = names.length >= SEARCH_FROM;
    const order = names.map((_, index) => index).filter((index) => counts[index]);
    order.sort((a, b) => counts[b] - counts[a] || a - b);
    list.replaceChildren(...order.map((index) => buttons[index]));
    const rest = [["no class", "cw-shape-0 cw-none", names.length ? counts[names.length] : 0], ["added", "cw-ring", added]];
    others.replaceChildren(...rest.filter(([, , number]) => number).map((one) => entry("div", ...one)));
    search.hidden = !many;
    element.hidden = !names.length && !added;
    filter();
    mark();
  };
  return { element, show, mark };
}
