// @ts-check
// Paper and pens: what one draws on, by mouse, pen or finger.

import { h, hasFocus, stamp } from "./shared.js";
import { strokesOn } from "./strokes.js";

/** Widths of a pen, as shares of the shorter side of the paper. */
const PENS = { Thin: 0.05, Medium: 0.1, Thick: 0.18 };

const COLOR_NAMES = {
  "#000000": "black", "#808080": "gray", "#ffffff": "white", "#d62728": "red", "#ff7f0e": "orange", "#ffd92f": "yellow", "#2ca02c": "green",
  "#1f77b4": "blue", "#9467bd": "purple",
};
const isGray = (color) => color.slice(1, 3) === color.slice(3, 5) && color.slice(3, 5) === color.slice(5);

/**
 * A pad. `changed(isWhole)` is called when the drawing has changed, and says whether that ends something: a stroke, an undo.
 *
 * @param {{ shape: number[], paper: string, ink: string, colors: string[], frame: number[], below?: HTMLCanvasElement | null }} options
 *   shape [height, width] of the picture; `frame` [top, left, bottom, right] in shares of the sides, empty for none; `below`
 *   a picture to draw on.
 */
export function drawPad({ shape, paper, ink, colors, frame, below = null }, changed) {
  const [height, width] = shape;
  const canvas = h("canvas", { className: "cw-draw-paper", role: "img", tabIndex: -1, width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let under = below; // what a blank paper shows, if not its color
  const strokes = strokesOn(context, () => {
    context.fillStyle = paper;
    context.fillRect(0, 0, width, height);
    if (under) context.drawImage(under, 0, 0, width, height);
  });
  const guide = h("div", { className: "cw-draw-guide", hidden: frame.length !== 4, title: "What the network's own pictures show lies in this frame." });
  const [top, left, bottom, right] = frame.map((share) => 100 * share);
  Object.assign(guide.style, { inset: `${top}% ${100 - right}% ${100 - bottom}% ${left}%`, borderColor: ink });
  const stage = h("div", { className: "cw-draw-stage" }, canvas, guide);
  stage.style.aspectRatio = `${width} / ${height}`;

  let [color, erases, share] = [ink, false, PENS.Medium];
  const choose = (values) => {
    ({ color = color, erases = erases, share = share } = values);
    for (const [button, value] of swatches) button.setAttribute("aria-pressed", String(!erases && value === color));
    for (const [button, value] of pens) button.setAttribute("aria-pressed", String(value === share));
    eraser.setAttribute("aria-pressed", String(erases));
    other?.parentElement.setAttribute("data-on", String(!erases && !colors.includes(color)));
  };
  const tool = (name, properties, act, ...children) => {
    const button = h("button", { type: "button", title: name, "aria-label": name, ...properties }, ...children);
    button.addEventListener("click", act);
    return button;
  };
  const swatches = colors.map((value) => {
    const button = tool(`Pen: ${COLOR_NAMES[value] ?? value}`, { className: "cw-draw-color" }, () => choose({ color: value, erases: false }));
    button.style.background = value;
    return /** @type {[HTMLElement, string]} */ ([button, value]);
  });
  const other = colors.every(isGray) ? null : h("input", { type: "color", value: ink, "aria-label": "Pen: another color" });
  other?.addEventListener("input", () => choose({ color: other.value, erases: false }));
  const pens = Object.entries(PENS).map(([name, value]) => {
    const dot = h("span", { className: "cw-draw-dot" });
    dot.style.width = dot.style.height = `${4 + 80 * value}px`;
    return /** @type {[HTMLElement, number]} */ ([tool(`${name} pen`, { className: "cw-draw-pen" }, () => choose({ share: value }), dot), value]);
  });
  const eraser = tool("Eraser", { className: "cw-draw-word" }, () => choose({ erases: !erases }), "Eraser");
  const undo = tool("Undo the last stroke (Ctrl+Z)", { className: "cw-draw-word" }, () => act(strokes.undo), "Undo");
  const clear = tool("Clear the paper", { className: "cw-draw-word" }, () => act(strokes.clear), "Clear");
  const line = h("div", { className: "cw-line", "aria-live": "polite" });
  const group = (name, ...parts) => h("div", { className: "cw-draw-group", role: "group", "aria-label": name }, ...parts);
  const tools = h("div", { className: "cw-draw-tools" },
    group("Colors", ...swatches.map(([button]) => button), ...(other ? [h("label", { className: "cw-draw-other", title: "Pen: another color" }, other)] : [])),
    group("Pen width", ...pens.map(([button]) => button)), group("Corrections", eraser, undo, clear), line);
  const root = h("div", { className: "cw-draw-pad" }, stage, tools);

  let wasDrawn = false;
  const tell = (isWhole) => {
    const { count } = strokes;
    wasDrawn ||= count > 0;
    undo.disabled = !strokes.canUndo;
    clear.disabled = !count;
    line.textContent = count || under ? "" : wasDrawn ? "The paper is empty." : "Draw with mouse, pen or finger.";
    canvas.setAttribute("aria-label", `Drawing: ${count === 1 ? "1 stroke" : `${count} strokes`}`);
    guide.classList.toggle("cw-draw-busy", count > 0);
    stamp(canvas);
    if (isWhole !== undefined) changed(isWhole);
  };
  const act = (change) => {
    const focused = hasFocus(root);
    change();
    tell(true);
    if (focused) canvas.focus({ preventScroll: true }); // for the button may be gray now
  };

  const pointAt = (event) => {
    const area = canvas.getBoundingClientRect();
    return [((event.clientX - area.left) / area.width) * width, ((event.clientY - area.top) / area.height) * height];
  };
  let pointer = null; // that draws: of several fingers the first
  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    event.preventDefault(); // no text is selected
    canvas.focus({ preventScroll: true }); // so that Ctrl+Z is heard
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    strokes.begin(erases ? paper : color, share * Math.min(width, height), pointAt(event));
    tell(false);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    (passed.length ? passed : [event]).forEach((one) => strokes.extend(pointAt(one)));
    tell(false);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      tell(true);
    });
  }
  root.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation(); // the notebook would undo, too
    if (strokes.canUndo && pointer === null) act(strokes.undo);
  });
  strokes.reset();
  choose({});
  tell(undefined);
  return {
    root, canvas,
    /** Begin anew on a picture, or on empty paper. */
    lay(picture) {
      under = picture;
      strokes.reset();
      tell(undefined);
    },
  };
}
