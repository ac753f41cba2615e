// @ts-check
// One picture, and on it the rectangle that the position under the cursor sees, or a patch that is dragged.

import { ARROWS, describeBox, drawer, h, listen, once, outline, pictureOf, position, put, resize, typed, watch, zoomOf } from "./shared.js";

/** CSS pixels of a picture from which on its caption has room in one line. */
const WIDE = 380;

/** A text whose "> 99.9%" stays in one line. */
const unbroken = (text) => text.replace(/([<>]) (?=\d)/g, "$1\u00a0");

/** @param {import("./host").Host<import("./traits").ImageView>} host */
function render({ model, el }) {
  const canvas = h("canvas", { className: "cw-canvas", role: "img", tabIndex: -1 });
  const title = h("div", { className: "cw-title" });
  const caption = h("div", { className: "cw-line" });
  const hint = h("div", { className: "cw-hint", "aria-hidden": "true" });
  const stage = h("div", { className: "cw-stage" }, canvas, hint);
  const root = h("div", { className: "cw cw-image", "data-lm-suppress-shortcuts": "true" }, title, stage, caption);
  el.append(root);
  let source = null;
  let [cover, mask] = [null, new Uint8Array(0)];
  let size = { height: 0, width: 0 };

  const reload = () => {
    const [height, width] = model.get("shape");
    size = { height, width };
    title.textContent = title.title = model.get("title");
    title.hidden = !title.textContent;
    if (height * width) source = pictureOf(model.get("pixels"), [height, width]);
    reloadPatch();
  };

  /** The patch as a picture of its own: its cover is cut out by its mask when it is drawn, for the box may come later. */
  const reloadPatch = () => {
    mask = typed(Uint8Array, model.get("mask"));
    cover = mask.length ? pictureOf(model.get("cover"), model.get("shape")) : null;
    draw();
  };

  const tellHands = () => {
    canvas.tabIndex = movable() ? 0 : -1;
    canvas.style.touchAction = movable() ? "none" : "";
    canvas.setAttribute("aria-label", (model.get("title") || "picture") + (movable() ? ", arrow keys move the patch" : ""));
  };

  const movable = () => model.get("box").length === 4 && !model.get("lock");

  /** Top, left, height, width in picture pixels of what a position sees, or null. */
  const seenBox = () => {
    const [field, cursor] = [model.get("field"), position(model.get("cursor"))];
    if (!field?.status || !cursor) return null;
    if (field.status === "global") return [0, 0, size.height, size.width];
    return [0, 1].map((k) => field.offset[k] + cursor[k] * field.step[k]).concat(field.size);
  };

  const zoom = () => zoomOf(root, model.get("width"), size.width);

  const paint = () => {
    tellHands();
    root.classList.toggle("cw-one-line", model.get("box").length === 4 || model.get("width") >= WIDE);
    if (movable() && model.get("hint")) hint.textContent = model.get("hint"); // else what is there fades
    hint.classList.toggle("cw-low", model.get("box")[0] < size.height / 3);
    hint.classList.toggle("cw-done", !movable() || !model.get("hint"));
    if (!size.height || !size.width || !root.clientWidth) return;
    const scale = zoom();
    const [width, height] = [size.width * scale, size.height * scale];
    const context = resize(canvas, width, height);
    context.imageSmoothingEnabled = scale < 2;
    context.drawImage(source, 0, 0, width, height);
    const seen = seenBox();
    if (seen) {
      const [top, left, tall, wide] = seen.map((v) => v * scale);
      context.fillStyle = "rgb(0 0 0 / 45%)";
      context.beginPath();
      context.rect(0, 0, width, height);
      context.rect(Math.max(left, 0), Math.max(top, 0), Math.min(left + wide, width) - Math.max(left, 0), Math.min(top + tall, height) - Math.max(top, 0));
      context.fill("evenodd");
      frame(context, [top, left, tall, wide], width, height);
    }
    const box = model.get("box");
    if (box.length === 4) {
      if (mask.length && mask.length === box[2] * box[3]) drawPatch(context, box, scale);
      frame(context, box.map((v) => v * scale), width, height);
    }
    const told = seen ? describe(seen) : box.length === 4 ? `on ${describeBox(box, model.get("shape"))}` : "";
    caption.textContent = caption.title = [told, unbroken(model.get("caption"))].filter(Boolean).join(" · ");
  };

  const frame = (context, box, width, height) => {
    const [top, left, tall, wide] = box;
    const mark = getComputedStyle(root).getPropertyValue("--cw-mark") || "#ffb000";
    const [x, y] = [Math.max(left, 1), Math.max(top, 1)];
    outline(context, x, y, Math.min(left + wide, width - 1) - x, Math.min(top + tall, height - 1) - y, mark);
  };

  const drawPatch = (context, box, scale) => {
    const [top, left, tall, wide] = box;
    context.save();
    context.beginPath();
    for (let i = 0; i < tall; i++) {
      for (let j = 0; j < wide; j++) {
        let end = j;
        while (end < wide && mask[i * wide + end]) end++;
        if (end > j) context.rect((left + j) * scale, (top + i) * scale, (end - j) * scale, scale);
        j = end;
      }
    }
    context.clip();
    context.drawImage(cover, 0, 0, size.width * scale, size.height * scale);
    context.restore();
  };

  const describe = (seen) => {
    const { status } = model.get("field");
    if (status === "global") return "this value sees the whole picture";
    return `this value sees ${status === "bound" ? "at most " : ""}${describeBox(seen, model.get("shape"))}`;
  };

  const draw = drawer(canvas, paint);

  /** [row, column] of the picture under the pointer. */
  const pixelAt = (event) => {
    const area = canvas.getBoundingClientRect();
    return [event.clientY - area.top, event.clientX - area.left].map((v) => v / zoom() - 0.5);
  };

  const moveCursor = (event) => {
    const [field, shape] = [model.get("field"), model.get("positions")];
    if (!field?.status || !shape?.length) return;
    const cursor = pixelAt(event).map((p, k) => {
      const at = field.status === "global"
        ? ((p + 0.5) / size[["height", "width"][k]]) * shape[k] - 0.5
        : (p - field.offset[k] - (field.size[k] - 1) / 2) / field.step[k];
      return Math.max(0, Math.min(shape[k] - 1, Math.round(at)));
    });
    put(model, { cursor });
  };

  let grip = null;
  const movePatch = (corner) => {
    const [, , tall, wide] = model.get("box");
    const most = [size.height - tall, size.width - wide];
    put(model, { box: [...corner.map((v, k) => Math.max(0, Math.min(most[k], Math.round(v)))), tall, wide], hint: "" });
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!movable()) return;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    const [at, box] = [pixelAt(event), model.get("box")];
    const inside = at.every((p, k) => p >= box[k] - 0.5 && p < box[k] + box[2 + k] - 0.5);
    grip = at.map((p, k) => (inside ? p - box[k] : (box[2 + k] - 1) / 2));
    movePatch(at.map((p, k) => p - grip[k]));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (grip) movePatch(pixelAt(event).map((p, k) => p - grip[k]));
    else moveCursor(event);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (grip = null));
  canvas.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (!way || !movable()) return;
    event.preventDefault();
    const step = event.shiftKey ? [1, 1] : model.get("step");
    movePatch(way.map((w, k) => model.get("box")[k] + w * step[k]));
  });

  const ends = [
    listen(model, ["pixels", "shape", "title"], once(reload)),
    listen(model, ["cover", "mask"], once(reloadPatch)),
    listen(model, ["cursor", "field", "caption", "width", "box", "lock", "hint"], draw),
    watch(root, draw),
    draw.stop,
  ];
  reload();
  return () => ends.forEach((end) => end());
}

export default { render };
