// A map over a picture: a cell a position of the patch, colored by size or by class.

import { ARROWS, colorTable, cssColor, describeBox, drawLegend, drawer, h, listen, once, outline, pictureOf, put, resize, typed, watch, zoomOf } from "./shared.js";
import { format } from "./numbers.js";

const PALE = 0.45;
const MOST_NAMED = 10; // classes that the legend names; of more it counts the others

function render({ model, el }) {
  const canvas = h("canvas", { className: "cw-canvas", role: "img", tabIndex: 0 });
  const title = h("div", { className: "cw-title" });
  const bar = h("canvas", { className: "cw-bar", role: "img" });
  const swatches = h("div", { className: "cw-swatches" });
  const line = h("div", { className: "cw-line", role: "status", "aria-live": "polite" });
  const opacity = h("input", { type: "range", min: 0, max: 1, step: 0.05, title: "opacity of the map over the picture" });
  const whole = h("button", { title: "take the region away (Escape)" }, "Whole picture");
  const tools = h("div", { className: "cw-tools" }, h("label", { className: "cw-choice" }, "map over picture", opacity), whole);
  const root = h("div", { className: "cw cw-heat", "data-lm-suppress-shortcuts": "true" }, title, canvas, bar, swatches, line, tools);
  el.append(root);
  const table = colorTable("viridis");
  let [picture, heat, values, known] = [null, null, [], []];

  const size = () => model.get("shape");
  const zoom = () => zoomOf(root, model.get("width"), size()[1]);
  const labeled = () => model.get("names").length > 0;
  const classColor = (place) => (place < 0 ? "transparent" : model.get("colors")[place]);

  /** Rows or columns of the picture from one cell to the next. */
  const step = (places, k) => (places.length > 1 ? places[1] - places[0] : model.get("patch")[k]);

  const reload = () => {
    title.textContent = title.title = model.get("title");
    picture = pictureOf(model.get("pixels"), size(), true);
    [values, known] = [typed(Float32Array, model.get("values")), typed(Uint8Array, model.get("known"))];
    const [rows, columns] = [model.get("ys").length, model.get("xs").length];
    heat = Object.assign(document.createElement("canvas"), { height: Math.max(1, rows), width: Math.max(1, columns) });
    const context = heat.getContext("2d");
    const [lo, hi] = model.get("span");
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
    bar.hidden = labeled();
    swatches.hidden = !labeled();
    if (labeled()) {
      const names = model.get("names");
      const counts = names.map((_, index) => values.reduce((sum, value) => sum + (value === index), 0));
      const share = (count) => (count && count < values.length / 100 ? "< 1 %" : `${Math.round((100 * count) / values.length)} %`);
      const shown = names.slice(0, MOST_NAMED).map((name, index) => [classColor(index), name, share(counts[index])]);
      const rest = counts.slice(MOST_NAMED).reduce((sum, count) => sum + count, 0);
      if (rest) shown.push(["transparent", others(names.length - MOST_NAMED), share(rest)]);
      swatches.replaceChildren(...shown.map(([color, name, part]) => {
        const chip = h("span", { className: "cw-chip" });
        chip.style.background = color;
        return h("span", { className: "cw-swatch", title: name }, chip, h("span", { className: "cw-name" }, name), ` ${part}`);
      }));
    } else {
      drawBar();
    }
  };

  const drawBar = () => {
    const mark = model.get("mark");
    const ink = getComputedStyle(root).getPropertyValue("color");
    drawLegend(bar, table, ...model.get("span"), ink, null, mark === null ? null : { value: mark, name: model.get("marked") });
  };

  const paint = () => {
    const [height, width] = size();
    const [ys, xs, patch] = [model.get("ys"), model.get("xs"), model.get("patch")];
    if (!height || !width || !ys.length || !root.clientWidth) return;
    const scale = zoom();
    const context = resize(canvas, width * scale, height * scale);
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
    whole.hidden = model.get("region").length !== 4 || model.get("lock").includes("region");
    opacity.value = model.get("opacity");
    line.textContent = describe();
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
    if (at < 0) return [["box", "hover: move the patch"], ["region", "drag: only a region"]]
      .filter(([what]) => !model.get("lock").includes(what)).map(([, hint]) => hint).join(" · ");
    const value = values[at];
    const told = labeled() ? model.get("names")[value] ?? "not known yet" : `${known[at] ? "" : "≈ "}${format(value)}`;
    return `${model.get("quantity")}: ${told} · patch on ${describeBox(model.get("box"), size())}`;
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
    const corner = ["ys", "xs"].map((axis, k) => nearest(model.get(axis), middle[k] - (patch[k] - 1) / 2));
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
      const [places, box] = [["ys", "xs"].map((axis) => model.get(axis)), model.get("box")];
      const here = places.map((axis, k) => axis.indexOf(nearest(axis, box[k] ?? axis[0])));
      const next = here.map((i, k) => places[k][Math.max(0, Math.min(places[k].length - 1, i + way[k]))]);
      if (!model.get("lock").includes("box")) put(model, { box: [...next, ...model.get("patch")] });
    } else return;
    event.preventDefault();
  });
  whole.addEventListener("click", clear);
  opacity.addEventListener("input", () => put(model, { opacity: Number(opacity.value) }));

  const ends = [
    listen(model, ["pixels", "shape", "values", "known", "ys", "xs", "patch", "names", "colors", "span", "mark", "title"], once(reload)),
    listen(model, ["box", "region", "opacity", "width", "quantity", "lock"], draw),
    watch(root, () => (drawLegends(), draw())),
    draw.stop,
  ];
  reload();
  return () => ends.forEach((end) => end());
}

export default { render };
