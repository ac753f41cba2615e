// @ts-check
// What floats above the page: lists that open, and one small text of help for all controls.

import { h } from "../views/shared.js";
import { newId } from "./values.js";

const EDGE = 8; // CSS pixels that stay free to the window's edges
const APART = 4;
const TALLEST = 272;

/** Place an open list at its anchor, on the roomier side and inside the window; returns what does it, as it also scrolls. */
export function keepPlace(list, anchor) {
  const place = () => {
    const at = anchor.getBoundingClientRect();
    const [above, below] = [at.top - APART - EDGE, innerHeight - at.bottom - APART - EDGE];
    const up = below < Math.min(TALLEST, 160) && above > below;
    const width = Math.min(Math.max(at.width, 200), innerWidth - 2 * EDGE);
    Object.assign(list.style, {
      width: `${width}px`,
      left: `${Math.max(EDGE, Math.min(at.left, innerWidth - width - EDGE))}px`,
      maxHeight: `${Math.min(TALLEST, up ? above : below)}px`,
      top: up ? "auto" : `${at.bottom + APART}px`,
      bottom: up ? `${innerHeight - at.top + APART}px` : "auto",
    });
  };
  let moves = null;
  list.addEventListener("toggle", (event) => {
    moves?.abort();
    if (event.newState !== "open") return;
    moves = new AbortController();
    const { signal } = moves;
    document.addEventListener("scroll", (scrolled) => scrolled.target !== list && place(), { capture: true, passive: true, signal });
    window.addEventListener("resize", place, { signal });
  });
  return place;
}

const AFTER_POINTER = 500; // milliseconds
const AFTER_FOCUS = 700;

/** One small text for all controls: it comes when a pointer rests or the keyboard arrives, and goes with Escape. */
export function helpTip(root, signal) {
  const tip = h("div", { className: "cwp-tip", role: "tooltip", popover: "manual", id: newId() });
  root.append(tip);
  let [wait, pointed] = [0, -AFTER_FOCUS];
  const hide = () => {
    clearTimeout(wait);
    if (tip.matches(":popover-open")) tip.hidePopover();
  };
  const show = (over, text) => {
    hide();
    if (!text || !over.isConnected || over.querySelector("[aria-expanded=true]")) return; // an open list is in its place
    tip.textContent = text;
    tip.showPopover();
    const at = over.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = tip;
    const below = at.bottom + APART + height + EDGE < innerHeight;
    tip.style.left = `${Math.max(EDGE, Math.min(at.left, innerWidth - width - EDGE))}px`;
    tip.style.top = `${below ? at.bottom + APART : Math.max(EDGE, at.top - height - APART)}px`;
  };
  const soon = (over, text, after) => {
    clearTimeout(wait);
    wait = window.setTimeout(() => show(over, text()), after);
  };
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide(), { capture: true, signal });
  document.addEventListener("scroll", hide, { capture: true, passive: true, signal });
  root.addEventListener("keydown", hide, { capture: true, signal }); // whoever uses a control knows it
  root.addEventListener("pointerdown", () => {
    pointed = performance.now();
    hide();
  }, { capture: true, signal });
  signal.addEventListener("abort", hide);
  const attach = (over, text) => {
    over.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && !event.buttons && soon(over, text, AFTER_POINTER));
    over.addEventListener("pointerleave", hide);
    over.addEventListener("focusin", () => performance.now() - pointed > AFTER_FOCUS && soon(over, text, AFTER_FOCUS));
    over.addEventListener("focusout", hide);
  };
  return { attach, show, hide };
}
