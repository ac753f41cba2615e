// @ts-check
// What hands do on a scatter: drag, wheel, pinch, draw around points, hover, click, keys; and the buttons above it.

import { grouped } from "./scatter_card.js";
import { ARROWS, h, listen, put } from "./shared.js";

const CLICK = 4; // CSS pixels that a click may move

/**
 * Let a pointer and keys act on a view: {pan, zoom, fit, find, hover, step, pick, enclose, clear, draft}.
 *
 * `draft(line)` draws a line while it is drawn, `enclose(line, add)` selects the points in it. `hint.done(what)` is told
 * what a hand has done.
 */
export function useHands(canvas, model, view, hint) {
  const down = new Map(); // pointers that are down, and where
  let [drag, entered] = [null, false]; // entered: a click has taken the wheel, until the pointer leaves
  const place = (event) => {
    const area = canvas.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top];
  };
  /** @param {number[]} from @param {number[]} to */
  const apart = (from, to) => Math.hypot(to[0] - from[0], to[1] - from[1]);
  /** @param {number[][]} pair */
  const middle = ([[a, b], [c, d]]) => [(a + c) / 2, (b + d) / 2];
  const toolOf = (event) => {
    if (model.get("lock").includes("selected")) return "pan";
    return event.shiftKey ? "box" : event.altKey ? "lasso" : model.get("tool");
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    entered = event.pointerType === "mouse";
    const at = place(event);
    down.set(event.pointerId, at);
    view.draft(null);
    drag = down.size > 1 ? null : { tool: toolOf(event), from: at, last: at, line: [at], moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (down.size === 2 && down.has(event.pointerId)) return pinch(event.pointerId, at);
    if (!drag) return down.size ? undefined : view.hover(view.find(...at));
    drag.moved ||= apart(drag.from, at) > CLICK;
    if (!drag.moved) return;
    view.hover(-1);
    if (drag.tool === "pan") view.pan(at[0] - drag.last[0], at[1] - drag.last[1]);
    else if (drag.tool === "lasso") drag.line.push(at);
    else drag.line = [drag.from, [at[0], drag.from[1]], at, [drag.from[0], at[1]]];
    if (drag.tool !== "pan") view.draft(drag.line);
    drag.last = at;
  });
  const pinch = (pointer, at) => {
    const before = [...down.values()];
    down.set(pointer, at);
    const after = [...down.values()];
    const [[x, y], [right, below]] = [middle(before), middle(after)];
    view.pan(right - x, below - y);
    view.zoom(apart(after[0], after[1]) / (apart(before[0], before[1]) || 1), right, below);
  };
  canvas.addEventListener("pointerup", (event) => {
    down.delete(event.pointerId);
    if (!drag) return;
    const { moved, tool, line, from } = drag;
    const add = event.ctrlKey || event.metaKey;
    drag = null;
    view.draft(null);
    if (!moved) view.pick(view.find(...from), add);
    else if (tool !== "pan") {
      hint.done(tool);
      view.enclose(line, add);
    }
  });
  canvas.addEventListener("pointercancel", (event) => {
    down.delete(event.pointerId);
    drag = null;
    view.draft(null);
  });
  const leave = () => (entered = false);
  canvas.addEventListener("pointerleave", () => (leave(), view.hover(-1)));
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("dblclick", () => view.fit());
  canvas.addEventListener("wheel", (event) => {
    if (!(entered || event.ctrlKey || event.metaKey)) return; // the page's
    const unit = [1, 16, 400][event.deltaMode];
    const turned = event.deltaY * unit * (event.ctrlKey && Math.abs(event.deltaY) < 50 ? 5 : 1); // a pinch on a touchpad has ctrlKey
    hint.done("zoom");
    view.zoom(2 ** (-turned / 300), ...place(event));
    event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = ARROWS[event.key];
    if (way && event.shiftKey) view.pan(-60 * way[1], -60 * way[0]);
    else if (way) view.step(way);
    else if (event.key === "Enter") view.pick(model.get("hovered"), false);
    else if (event.key === "Escape") {
      leave();
      if (drag) drag = null;
      else view.clear();
      view.draft(null);
    } else if (event.key === "+" || event.key === "=") view.zoom(1.3);
    else if (event.key === "-") view.zoom(1 / 1.3);
    else if (event.key === "0") view.fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

const COMMAND = /Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl";

/** What hands can do, in words: each until it is `done` once. */
export function hints() {
  const left = new Map([["zoom", `${COMMAND}+wheel: zoom`], ["box", "Shift+drag: box"], ["lasso", "Alt+drag: lasso"]]);
  const text = (model) => {
    const locked = model.get("lock").includes("selected");
    return [...left].filter(([what]) => what === "zoom" || !locked).map(([, words]) => words).join(" · ");
  };
  return { text, done: (what) => left.delete(what) };
}

/** The line that is being drawn around points. */
export function drawDraft(context, line, color) {
  context.beginPath();
  line.forEach((corner) => context.lineTo(...corner));
  context.closePath();
  Object.assign(context, { fillStyle: color, strokeStyle: color, lineWidth: 2, globalAlpha: 0.14 });
  context.fill("evenodd");
  context.globalAlpha = 1;
  context.setLineDash([6, 4]);
  context.stroke();
  context.setLineDash([]);
}

/** The buttons above a scatter, and the one below that clears the selection; `ends` takes what unties them. */
export function scatterTools(model, view, ends) {
  const button = (text, title, action) => {
    const one = h("button", { title, "aria-label": title }, text);
    one.addEventListener("click", action);
    return one;
  };
  const modes = [
    ["pan", "Move", "Drag to move the map."],
    ["lasso", "Lasso", "Draw around points to select them (Alt+drag)."],
    ["box", "Box", "Draw a box around points to select them (Shift+drag)."],
  ].map(([tool, text, title]) => [tool, button(text, title, () => put(model, { tool }))]);
  const group = { className: "cw-zoom", role: "group", "aria-label": "What dragging does" };
  const mode = h("span", group, ...modes.map(([, one]) => one));
  const zoom = h("span", { className: "cw-zoom" },
    button("−", "Zoom out (−)", () => view.zoom(1 / 1.3)),
    button("+", "Zoom in (+)", () => view.zoom(1.3)),
    button("Fit", "Show all points (0, or double-click)", () => view.fit()),
  );
  const clear = button("", "Clear the selection (Escape)", () => view.clear());
  const pictures = h("input", { type: "checkbox" });
  const side = h("input", { type: "range", min: 16, max: 64, step: 2, title: "Size of the pictures", "aria-label": "Size of the pictures" });
  const choices = h("span", { className: "cw-choice" }, h("label", { className: "cw-choice" }, pictures, "pictures"), side);
  const named = h("input", { type: "checkbox" });
  const names = h("label", { className: "cw-choice" }, named, "names");
  named.addEventListener("change", () => put(model, { labeled: named.checked }));
  pictures.addEventListener("change", () => put(model, { thumbnails: pictures.checked }));
  side.addEventListener("input", () => put(model, { thumbnail: side.valueAsNumber }));
  const show = () => {
    const selected = model.get("selected")?.byteLength / 4 || 0;
    const locked = model.get("lock").includes("selected");
    for (const [tool, one] of modes) one.setAttribute("aria-pressed", String(model.get("tool") === tool));
    mode.hidden = locked;
    clear.textContent = `Clear ${grouped(selected)} selected`;
    clear.hidden = !selected || locked;
    choices.hidden = !model.get("atlas")?.byteLength;
    pictures.checked = model.get("thumbnails");
    named.checked = model.get("labeled");
    names.hidden = !model.get("names").length;
    side.value = model.get("thumbnail");
    side.hidden = !model.get("thumbnails");
  };
  ends.push(listen(model, ["tool", "selected", "lock", "atlas", "thumbnails", "thumbnail", "labeled", "names"], show));
  show();
  return { element: h("div", { className: "cw-tools" }, mode, zoom, names, choices), clear };
}
