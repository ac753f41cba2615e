// @ts-check
// The control strip: a row of controls, groups of them, and what is behind "More".

import { h, hasFocus, listen, once } from "../views/shared.js";
import { fieldOf, partsOf } from "./field.js";
import { helpTip } from "./floating.js";
import { keepKeys } from "./hands.js";
import { panelKeys } from "./keys.js";
import { newId, optionsOf, same, specsOf } from "./values.js";

const USABLE = ":is(button, input, select):not(:disabled)";
const NO_KERNEL = "No kernel is running. Gray controls need one; the rest works.";

/** Put elements into a parent in this order; those that are there already keep focus and what is typed. */
function arrange(parent, wanted) {
  [...parent.children].filter((one) => !wanted.includes(one)).forEach((one) => one.remove());
  wanted.forEach((one, place) => parent.children[place] === one || parent.insertBefore(one, parent.children[place] ?? null));
}

/**
 * The strip of a panel's controls, and the sheets that its fields open beside the panel's views. `tell(live)` says whether a
 * kernel answers, `take(file)` gives a picture to the field that takes one, `listen(root)` hears the actions' keys in an
 * element.
 */
export function controlStrip(model, signal) {
  const row = h("div", { className: "cwp-first", role: "group", "aria-label": "Controls" });
  const toggle = h("button", { type: "button", className: "cwp-quiet", "data-button": "more", "aria-expanded": "false" }, "More");
  const right = h("div", { className: "cwp-right" });
  const end = h("div", { className: "cwp-end" }); // the last control of the row and "More", which are never apart
  const groups = h("div", { className: "cwp-groups" });
  const behind = h("div", { className: "cwp-behind", role: "group", "aria-label": "More controls", id: newId(), hidden: true });
  const note = h("div", { className: "cwp-note", role: "note", hidden: true }, NO_KERNEL);
  /** Whether a control is shown now: some are so only at certain values of other traits. */
  const isPresent = ({ absent, when = {} }) =>
    !absent && Object.entries(when).every(([trait, values]) => values.some((value) => same(value, model.get(trait))));
  const keys = panelKeys(model, isPresent, signal);
  const root = h("div", { className: "cwp-strip" }, row, groups, behind, keys.sheet, note);
  const sheets = h("div", { className: "cwp-sheets" });
  const tip = helpTip(root, signal);
  const fields = new Map();
  const boxes = new Map(); // of groups, by their names
  let live = true;
  toggle.setAttribute("aria-controls", behind.id);

  const boxOf = (key, group) => {
    if (!boxes.has(key)) {
      const name = h("span", { className: "cwp-group-name", id: newId() }, group);
      const inner = h("div", { className: "cwp-grid" });
      const box = h("div", { className: "cwp-group", ...(group ? { role: "group", "aria-labelledby": name.id } : {}) }, ...(group ? [name] : []), inner);
      boxes.set(key, { box, inner });
    }
    return boxes.get(key);
  };

  /** The groups among some fields, in their order, filled. */
  const grouped = (some, part) => [...new Set(some.map((field) => field.spec.group ?? ""))].map((group) => {
    const { box, inner } = boxOf(JSON.stringify([part, group]), group);
    arrange(inner, some.filter((field) => (field.spec.group ?? "") === group).map((field) => field.root));
    return box;
  });

  const place = () => {
    const present = specsOf(model).filter(isPresent).map((spec) => fields.get(spec.name));
    const first = present.filter((field) => !field.spec.more);
    const more = present.filter((field) => field.spec.more);
    const singles = first.filter((field) => !field.spec.group).map((field) => field.root);
    const focused = hasFocus(root) && root.getRootNode().activeElement;
    const buttons = [...(keys.any() ? [keys.button] : []), ...(more.length ? [toggle] : [])];
    arrange(right, buttons);
    end.style.setProperty("--cwp-buttons", String(buttons.length));
    if (buttons.length) arrange(end, [...singles.splice(-1), right]);
    arrange(row, buttons.length ? [...singles, end] : singles);
    if (focused && !hasFocus(focused)) (focused.isConnected ? focused : [...row.querySelectorAll(USABLE)].at(-1))?.focus();
    arrange(groups, grouped(first.filter((field) => field.spec.group), "first"));
    arrange(behind, grouped(more, "more"));
    behind.hidden ||= !more.length;
    toggle.setAttribute("aria-expanded", String(!behind.hidden));
    root.hidden = !present.length;
    arrange(sheets, present.flatMap((field) => field.sheets));
  };

  /** Make the fields whose parts are new; those that are as they were keep focus and what is typed. */
  const build = () => {
    const lists = model.get("_lists");
    const specs = specsOf(model).map((spec) => ("options" in spec ? { ...spec, options: optionsOf(spec, lists) } : spec));
    const left = new Set(fields.keys());
    for (const spec of specs) {
      left.delete(spec.name);
      const before = fields.get(spec.name);
      if (before && same(partsOf(before.spec), partsOf(spec))) before.tell(spec, live);
      else {
        const focused = before?.root.isConnected && hasFocus(before.root);
        const made = fieldOf(spec, model, tip);
        made.tell(spec, live);
        fields.set(spec.name, made);
        before?.end();
        before?.root.replaceWith(made.root);
        if (focused) made.focus();
      }
    }
    left.forEach((name) => (fields.get(name).end(), fields.get(name).root.remove(), fields.delete(name)));
    place();
    remark();
  };

  const remark = () => (note.hidden = live || ![...fields.values()].some(({ spec }) => spec.kernel && !spec.absent));
  toggle.addEventListener("click", () => {
    behind.hidden = !behind.hidden;
    toggle.setAttribute("aria-expanded", String(!behind.hidden));
  });
  keepKeys(root, signal);
  const others = [...new Set(specsOf(model).flatMap((spec) => Object.keys(spec.when ?? {})))];
  const ties = [listen(model, ["_controls", "_changes", "_lists"], once(build)), listen(model, others, () => place())];
  signal.addEventListener("abort", () => (ties.forEach((untie) => untie()), fields.forEach((field) => field.end())));
  build();
  return {
    root,
    sheets,
    tell(now) {
      live = now;
      fields.forEach((field) => field.tell(field.spec, live));
      keys.tell(live);
      remark();
    },
    listen: keys.listen,
    take: (file) => [...fields.values()].find((field) => field.take && !field.spec.absent)?.take(file),
  };
}
