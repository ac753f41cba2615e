// @ts-check
// The status line: what the panel has found or is doing, progress and Cancel, facts, and the code that gives what is on screen.

import { h, hasFocus, listen, once, stamp } from "../views/shared.js";
import { helpTip } from "./floating.js";
import { keepKeys } from "./hands.js";
import { newId } from "./values.js";

/** A button that copies the text of an element, or selects it where the page may not copy. */
function copyButton(element) {
  const button = h("button", { type: "button", className: "cwp-button cwp-copy" }, "Copy");
  button.addEventListener("click", async () => {
    const copied = await Promise.resolve(navigator.clipboard?.writeText(element.textContent).then(() => true)).catch(() => false);
    if (!copied) getSelection().selectAllChildren(element);
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return button;
}

/** A button that opens and closes a part of the panel below it. */
function opener(name, text, look, part) {
  part.id = newId();
  const button = h("button", {
    type: "button", className: `cwp-button ${look}`, "data-button": name, "aria-expanded": "false", "aria-controls": part.id,
  }, text);
  button.addEventListener("click", () => {
    part.hidden = !part.hidden;
    button.setAttribute("aria-expanded", String(!part.hidden));
  });
  return button;
}

/** The status line of a panel. `tell(live)` says whether a kernel answers. */
export function statusLine(model, signal) {
  const told = h("div", { className: "cwp-told", role: "status" });
  const bar = h("progress", { className: "cwp-progress", max: 1, "aria-label": "Progress" });
  const cancel = h("button", { type: "button", className: "cwp-button", "data-button": "cancel" }, "Cancel");
  const code = h("pre", { tabIndex: 0, role: "region", "aria-label": `Code of ${model.get("_title")}` });
  const listing = h("div", { className: "cwp-listing", hidden: true }, code, copyButton(code));
  const facts = h("div", { className: "cwp-facts" });
  const folded = h("div", { hidden: true }, facts); // stays open from one result to the next
  const [show, more] = [opener("code", "Code", "", listing), opener("details", "Details", "cwp-quiet", folded)];
  const root = h("div", { className: "cwp-status" }, h("div", { className: "cwp-line" }, told, bar, cancel, more, show), folded, listing);
  const tip = helpTip(root, signal);
  tip.attach(cancel, () => "Stop computing. The results so far stay.");
  tip.attach(more, () => "How this was computed, and what to know about it.");
  tip.attach(show, () => "Show the PyTorch code for this.");
  let live = true;

  const paint = () => {
    const { text = "", details = "", kind = "ready", fraction = 0 } = model.get("_status") ?? {};
    const listed = model.get("_code") ?? "";
    root.dataset.kind = kind;
    told.setAttribute("role", kind === "error" ? "alert" : "status");
    if (told.textContent !== text) told.textContent = text;
    facts.textContent = details;
    const lost = (hasFocus(cancel) && (kind !== "busy" || !live)) || (hasFocus(more) && !details);
    more.hidden = facts.hidden = !details;
    bar.hidden = cancel.hidden = kind !== "busy" || !live;
    if (fraction > 0) bar.value = fraction;
    else bar.removeAttribute("value");
    if (code.textContent !== listed) code.textContent = listed;
    show.hidden = !live && !listed;
    if (lost) show.focus(); // else the keyboard is nowhere, and in VS Code out of the notebook
    stamp(root);
  };

  cancel.addEventListener("click", () => model.send({ kind: "cancel" }));
  show.addEventListener("click", () => listing.hidden || (live && model.send({ kind: "code" })));
  keepKeys(root, signal);
  const untie = listen(model, ["_status", "_code"], once(paint));
  signal.addEventListener("abort", untie);
  paint();
  return {
    root,
    tell(now) {
      live = now;
      paint();
    },
  };
}
