// @ts-check
// Keys of a panel's actions, which are heard anywhere in it, and the sheet that lists them.

import { h } from "../views/shared.js";
import { specsOf } from "./values.js";

const HELP = "h";
const TYPED_IN = "input:not([type=checkbox], [type=radio], [type=range]), select, textarea, [contenteditable]";

/**
 * The keys of a panel. `button` shows the sheet, where there are keys; `present(spec)` says whether a control is shown now,
 * `tell(live)` whether a kernel answers. Of panels in panels the innermost hears them.
 */
export function panelKeys(model, present, signal) {
  const sheet = h("div", { className: "cwp-keys", role: "note", "aria-label": "Keys", hidden: true });
  const button = h("button", { type: "button", className: "cwp-quiet", "data-button": "keys", "aria-expanded": "false", "aria-keyshortcuts": HELP }, "Keys");
  let live = true;

  const keyed = () => specsOf(model).filter((spec) => spec.key);
  const show = (open) => {
    sheet.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    sheet.replaceChildren(...[...keyed().map(({ key, help }) => [key, help]), [HELP, "Show or hide these keys."]].flatMap(
      ([key, help]) => [h("kbd", {}, key), h("span", {}, help)]));
  };
  const press = (event) => {
    const [at] = event.composedPath();
    if (event.ctrlKey || event.metaKey || event.altKey || at.closest(TYPED_IN) || at.closest(".cwp") !== event.currentTarget) return;
    const spec = keyed().find((one) => one.key === event.key);
    if (event.key === "Escape" && !sheet.hidden) show(false);
    else if (event.key === HELP && keyed().length) show(sheet.hidden);
    else if (spec && present(spec) && !spec.locked && live) model.send({ kind: "action", name: spec.name });
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  button.addEventListener("click", () => show(sheet.hidden), { signal });
  return {
    sheet,
    button,
    any: () => keyed().length > 0,
    listen: (root) => root.addEventListener("keydown", press, { capture: true, signal }),
    tell: (now) => (live = now),
  };
}
