// @ts-check
// A map over a picture: a cell a position of the patch, colored by size or by class.

import { ARROWS, colorTable, cssColor, drawer, h, listen, once, outline, pictureOf, put, resize, typed, watch, zoomOf } from "./shared.js";
import { format, percent } from "./numbers.js";

const PALE = 0.45;
const MOST_NAMED = 10; // classes that the legend names; of more it counts the others
const RANGES = [["full", "0 to 1", "colors from 0 to 1"], ["there", "what is there", "colors from the lowest to the highest value of this map"]];

/** @param {import("./host").Host<import("./traits").HeatView>} host */
function render({ model, el }) {
  const canvas = h("canvas", { className: "cw-canvas", role: "img", tabIndex: 0 });
  const title = h("div", { className: "cw-title" });
  const ramp = h("div", { className: "cw-ramp", role: "img" });
  const ends = h("div", { className: "cw-ends" });
  const marked = h("div", { className: "cw-told" });
  const scale = h("div", { className: "cw-scale" }, ramp, ends, marked);
  const swatches = h("div", { className: "cw-swatches" });
  const [line, note] = [h("div", { className: "cw-line" }), h("div", { className: "cw-line cw-note" })];
  const ranges = RANGES.map(([value, text, help]) => h("button", { title: help, "data-range": value }, text));
  const whole = h("button", { title: "Compute the whole picture again (Escape)" }, "Whole picture");
  const tools = h("div", { className: "cw-tools" }, ...ranges, whole);
  const root = h("div", { className: "cw cw-heat", "data-lm-suppress-shortcuts": "true" }, title, canvas, scale, swatches, line, note, tools);
  el.append(root);
  const table = colorTable("viridis");
  ramp.style.background = `linear-gradient(90deg, ${[0, 1, 2, 3, 4, 5, 6, 7, 8].map((k) => cssColor(table[Math.round((255 * k) / 8)])).join(", ")})`;
  let [picture, heat, values, known] = [null, null, [], []];
  let drawnOnce = false;

  const size = () => model.get("shape");
  const zoom = () => zoomOf(root, model.get("width"), size()[1]);
  const labeled = () => model.get("names").length > 0;
  const classColor = (place) => (place < 0 ? "transparent" : model.get("colors")[place]);

  const tell = (value) => (model.get("share") ? percent(value) : format(value));
  const stretched = () => model.get("share") && model.get("range") === "there";

  /** The values of the first and of the last color. */
  const span = () => (stretched() && values.length ? [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))] : model.get("span"));

  /** Rows or columns of the picture from one cell to the next. */
  const step = (places, k) => (places.length > 1 ? places[1] - places[0] : model.get("patch")[k]);

  const reload = () => {
    title.textContent = title.title = model.get("title");
    picture = pictureOf(model.get("pixels"), size(), true);
    [values, known] = [typed(Float32Array, model.get("values")), typed(Uint8Array, model.get("known"))];
    const [rows, columns] = [model.get("ys").length, model.get("xs").length];
    heat = Object.assign(document.createElement("canvas"), { height: Math.max(1, rows), width: Math.max(1, columns) });
    const context = heat.getContext("2d");
    const [lo, hi] = span();
    values.forEach((value, i) => {
      context.globalAlpha = known[i] ? 1 : PALE;
      context.fillStyle = labeled()
        ? classColor(value)
        : cssColor(table[Math.max(0, Math.min(255, Math.round((255 * (value - lo)) / (hi - lo || 1))))]);
      context.fillRect(i % columns, Math.floor(i / columns), 1, 1);
    });
    drawLegends();
    draw();
  };

  const others = (count) => `${count} ${count === 1 ? "other" : "others"}`;

  const drawLegends = () => {
    scale.hidden = labeled();
    swatches.hidden = !labeled();
    if (labeled()) drawSwatches();
    else drawScale();
  };

  const drawSwatches = () => {
    const names = model.get("names");
    const counts = names.map((_, index) => values.reduce((sum, value) => sum + (value === index), 0));
    const shown = names.slice(0, MOST_NAMED).map((name, index) => [classColor(index), name, counts[index]]);
    const rest = counts.slice(MOST_NAMED).reduce((sum, count) => sum + count, 0);
    if (rest) shown.push(["transparent", others(names.length - MOST_NAMED), rest]);
    swatches.replaceChildren(...shown.map(([color, name, count]) => {
      const chip = h("span", { className: "cw-chip" });
      chip.style.background = color;
      return h("span", { className: "cw-swatch", title: name }, chip, h("span", { className: "cw-name" }, name), ` ${percent(count / values.length)}`);
    }));
  };

  /** The color bar: its ends, zero, and the marked value. */
  const drawScale = () => {
    const [[lo, hi], mark] = [span(), model.get("mark")];
    const at = (value, className) => {
      const tick = h("span", { className });
      tick.style.setProperty("--at", `${hi > lo ? (100 * (value - lo)) / (hi - lo) : 50}%`);
      return tick;
    };
    const isThere = mark !== null && mark >= lo && mark <= hi;
    ramp.replaceChildren(...(lo < 0 && hi > 0 ? [at(0, "cw-zero")] : []), ...(isThere ? [at(mark, "cw-marked")] : []));
    const zero = at(0, "cw-zero");
    zero.textContent = -lo > 0.15 * (hi - lo) && hi > 0.15 * (hi - lo) ? "0" : "";
    ends.replaceChildren(h("span", {}, tell(lo)), zero, h("span", {}, tell(hi)));
    marked.textContent = mark === null ? "" : `${model.get("marked")}: ${tell(mark)}`;
    ramp.setAttribute("aria-label", `colors from ${tell(lo)} to ${tell(hi)}, ${marked.textContent}`);
  };

  const paint = () => {
    const [height, width] = size();
    const [ys, xs, patch] = [model.get("ys"), model.get("xs"), model.get("patch")];
    if (!height || !width || !ys.length || !root.clientWidth) return;
    const scale = zoom();
    const context = resize(canvas, width * scale, height * scale);
    ramp.parentElement.style.maxWidth = `${width * scale}px`; // as wide as the picture
    context.imageSmoothingEnabled = scale < 2;
    context.drawImage(picture, 0, 0, width * scale, height * scale);
    context.imageSmoothingEnabled = false;
    context.globalAlpha = model.get("opacity");
    const [dy, dx] = [step(ys, 0), step(xs, 1)];
    const [top, left] = [ys[0] + (patch[0] - dy) / 2, xs[0] + (patch[1] - dx) / 2];
    context.drawImage(heat, left * scale, top * scale, xs.length * dx * scale, ys.length * dy * scale);
    context.globalAlpha = 1;
    drawBox(context, model.get("region"), scale, "#ffffff");
    drawBox(context, drawn ?? [], scale, "#ffffff");
    drawBox(context, model.get("box"), scale, getComputedStyle(root).getPropertyValue("--cw-mark") || "#ffb000");
    const isPart = model.get("region").length === 4;
    drawnOnce ||= isPart;
    whole.hidden = !isPart || model.get("lock").includes("region");
    ranges.forEach((button) => {
      button.hidden = labeled() || !model.get("share");
      button.setAttribute("aria-pressed", String(button.dataset.range === model.get("range")));
    });
    tools.hidden = labeled();
    line.textContent = line.title = describe();
    note.textContent = (drawnOnce || model.get("lock").includes("region") ? "" : model.get("hint")) || model.get("note");
    const moves = model.get("lock").includes("box") ? "" : "; arrow keys move the patch";
    canvas.setAttribute("aria-label", `${model.get("title")}${moves}`);
  };

  const drawBox = (context, box, scale, color) => {
    if (box.length !== 4) return;
    const [height, width] = size();
    const [y, x] = [Math.max(0, box[0]), Math.max(0, box[1])];
    outline(context, x * scale + 1, y * scale + 1, (Math.min(box[1] + box[3], width) - x) * scale - 2, (Math.min(box[0] + box[2], height) - y) * scale - 2, color);
  };

  /** Number of the cell whose patch is the box, or -1. */
  const cell = () => {
    const [top, left] = model.get("box");
    const [i, j] = [model.get("ys").indexOf(top), model.get("xs").indexOf(left)];
    return i < 0 || j < 0 ? -1 : i * model.get("xs").length + j;
  };

  const describe = () => {
    const at = cell();
    if (at < 0) return model.get("lock").includes("box") ? "" : "Hover, and the patch goes there.";
    const told = labeled() ? model.get("names")[values[at]] ?? "not known yet" : `${known[at] ? "" : "≈ "}${tell(values[at])}`;
    return `here: ${told}${stretched() ? " · colors stretched" : ""}`;
  };

  const draw = drawer(canvas, paint);

  const pixelAt = (event) => {
    const area = canvas.getBoundingClientRect();
    return [event.clientY - area.top, event.clientX - area.left].map((v) => v / zoom() - 0.5);
  };
  const nearest = (places, at) => places.reduce((best, place) => (Math.abs(place - at) < Math.abs(best - at) ? place : best), places[0]);
  const moveTo = (middle) => {
    if (model.get("lock").includes("box") || !model.get("ys").length) return;
    const patch = model.get("patch");
    const corner = [model.get("ys"), model.get("xs")].map((axis, k) => nearest(axis, middle[k] - (patch[k] - 1) / 2));
    put(model, { box: [...corner, ...patch] });
  };

  let [begun, drawn] = [null, null];
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true });
    if (model.get("lock").includes("region")) return;
    canvas.setPointerCapture(event.pointerId);
    begun = pixelAt(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = pixelAt(event);
    if (!begun) return moveTo(at);
    const limits = size();
    const first = [0, 1].map((k) => Math.max(0, Math.floor(Math.min(begun[k], at[k]) + 0.5)));
    const [tall, wide] = [0, 1].map((k) => Math.min(limits[k], Math.ceil(Math.max(begun[k], at[k]) + 0.5)) - first[k]);
    const far = Math.max(...at.map((v, k) => Math.abs(v - begun[k]))) * zoom();
    drawn = far > 6 ? [...first, tall, wide] : null;
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drawn) put(model, { region: drawn });
    else moveTo(pixelAt(event));
    [begun, drawn] = [null, null];
    draw();
  });
  canvas.addEventListener("pointercancel", () => ([begun, drawn] = [null, null]));
  const clear = () => model.get("lock").includes("region") || put(model, { region: [] });
  canvas.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (event.key === "Escape" && model.get("region").length) clear();
    else if (way) {
      const [places, box] = [[model.get("ys"), model.get("xs")], model.get("box")];
      const here = places.map((axis, k) => axis.indexOf(nearest(axis, box[k] ?? axis[0])));
      const next = here.map((i, k) => places[k][Math.max(0, Math.min(places[k].length - 1, i + way[k]))]);
      if (!model.get("lock").includes("box")) put(model, { box: [...next, ...model.get("patch")] });
    } else return;
    event.preventDefault();
  });
  whole.addEventListener("click", clear);
  ranges.forEach((button) => button.addEventListener("click", () => put(model, { range: button.dataset.range })));

  const stops = [
    listen(model, ["pixels", "shape", "values", "known", "ys", "xs", "patch", "names", "colors", "span", "mark", "title", "share", "range", "marked"], once(reload)),
    listen(model, ["box", "region", "opacity", "width", "lock", "hint", "note"], draw),
    watch(root, draw),
    draw.stop,
  ];
  reload();
  return () => stops.forEach((end) => end());
}

export default { render };
