// @ts-check
// A vertical line over the first subplot, which is dragged or moved by arrow keys; and how things over a chart are dragged.

import { valueOn } from "./chart_readout.js";
import { ARROWS, h, put } from "./shared.js";

const STEP = 2; // CSS pixels of an arrow key; ten times as many with Shift

/** Run an action at most once a frame, however often it is asked for. */
export function eachFrame(action) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => ((waiting = false), action()));
  };
}

/** Let an element be dragged: `grab()` gives where it is, `move(left, top)` where it is to be; `drop(moved)` ends it. */
export function useDrag(element, { grab, move, drop }) {
  let from = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault(); // select no text
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    const [left, top] = grab();
    from = { left: left - event.clientX, top: top - event.clientY, at: [event.clientX, event.clientY], moved: false };
  });
  element.addEventListener("pointermove", (event) => {
    if (!from) return;
    from.moved ||= Math.hypot(event.clientX - from.at[0], event.clientY - from.at[1]) > 2;
    if (from.moved) move(event.clientX + from.left, event.clientY + from.top);
  });
  element.addEventListener("lostpointercapture", () => {
    if (from) drop(from.moved);
    from = null;
  });
}

/** What an arrow key asks for, in pixels to the right and down; null for any other key. */
export function pixelsOf(event) {
  const arrow = ARROWS[event.key];
  if (!arrow) return null;
  event.preventDefault();
  event.stopPropagation();
  return arrow.toReversed().map((by) => by * STEP * (event.shiftKey ? 10 : 1));
}

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** The line that `line` is the x of. */
export function useLine(layer, model, chart) {
  const label = h("span", { className: "cw-rule-label" });
  const rule = h("div", { className: "cw-rule", role: "slider", tabIndex: 0, hidden: true }, h("span", { className: "cw-grip" }), label);
  layer.append(rule);
  let held = null; // what the hand says; earlier ones still come back from the kernel

  const pixel = () => {
    const { xaxis } = chart.plots()[0];
    return clamp(xaxis.d2p(held ?? model.get("line")), 0, xaxis._length);
  };
  const draw = () => {
    const [plot] = chart.plots();
    const x = held ?? model.get("line");
    rule.hidden = !plot || typeof x !== "number" || !Number.isFinite(plot.xaxis.d2p(x));
    if (rule.hidden) return;
    const { xaxis, yaxis } = plot;
    const text = model.get("line_label");
    label.textContent = text;
    label.hidden = !text;
    Object.assign(rule.style, { left: `${xaxis._offset + pixel()}px`, top: `${yaxis._offset}px`, height: `${yaxis._length}px` });
    const before = xaxis._offset + pixel();
    const after = layer.clientWidth - before;
    label.style.maxWidth = `${Math.max(before, after) - 34}px`;
    rule.classList.toggle("cw-left", after < label.offsetWidth + 22 && before > after);
    rule.classList.toggle("cw-fixed", model.get("fixed"));
    rule.tabIndex = model.get("fixed") ? -1 : 0;
    rule.setAttribute("aria-label", text || "line");
    const [low, high] = xaxis.range.map((value) => xaxis.r2d(value));
    for (const [name, value] of [["now", x], ["min", low], ["max", high]]) rule.setAttribute(`aria-value${name}`, value);
    rule.setAttribute("aria-valuetext", `${chart.title(xaxis)} ${valueOn(xaxis, x)}`);
  };
  const go = (left) => {
    const { xaxis } = chart.plots()[0];
    held = xaxis.p2d(clamp(left, 0, xaxis._length));
    draw();
  };
  const send = () => held !== null && put(model, { line: held });
  const sendSoon = eachFrame(send);
  const drop = () => {
    send();
    held = null;
  };
  useDrag(rule, { grab: () => [pixel(), 0], move: (left) => (go(left), sendSoon()), drop });
  rule.addEventListener("keydown", (event) => {
    const by = pixelsOf(event)?.[0];
    if (!by) return;
    go(pixel() + by);
    drop();
  });
  return { draw };
}
