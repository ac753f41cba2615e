// @ts-check
// Maps over one picture, in rows: a canvas and a scale each, and one cursor for all of them.

import { ARROWS, choice, colorTable, cssColor, drawer, h, listen, once, outline, pictureOf, position, put, resize, typed, watch } from "./shared.js";
import { format } from "./numbers.js";

const CODES = 32767;
const NARROWEST = 144; // CSS pixels of a map, where there is room for two
const GAP = 14;
const HINT = "Hover over a map to read its value.";

/** How many cells stand side by side: as many as fit, evenly spread over the lines that this takes. */
export function perLine(count, width) {
  const most = Math.max(1, Math.floor((width + GAP) / (NARROWEST + GAP)));
  return Math.ceil(count / Math.ceil(count / most));
}

/** @param {import("./host").Host<import("./traits").MapTable>} host */
function render({ model, el }) {
  const table = h("div", { className: "cw-maps" });
  const line = h("div", { className: "cw-line", role: "status", "aria-live": "polite" });
  const opacity = h("input", { type: "range", min: 0, max: 1, step: 0.05 });
  const ends = [];
  const sign = choice(model, "sign", "signed maps show", [["both", "for and against"], ["for", "what is for it"], ["against", "what is against it"]],
    "which values of the signed maps are shown", ends);
  const root = h("div", { className: "cw cw-map-table", "data-lm-suppress-shortcuts": "true" }, table,
    h("div", { className: "cw-tools" }, line, h("label", { className: "cw-choice" }, "opacity of the maps", opacity), sign));
  el.append(root);
  const [sizes, signs] = [colorTable("viridis"), colorTable("diverging")];
  let [gray, picture, maps, outlined] = [null, null, [], null];

  const size = () => model.get("shape");

  /** The value of a map at a pixel of the picture: of the position that lies over it. */
  const valueAt = ({ about, codes }, [y, x]) => {
    const [[rows, columns], [height, width]] = [about.shape, size()];
    const [i, j] = [Math.floor(((y + 0.5) * rows) / height), Math.floor(((x + 0.5) * columns) / width)];
    return (codes[i * columns + j] / CODES) * about.peak;
  };

  /** A map as a picture of its positions, in the colors of its scale. */
  const paintMap = ({ about, codes }) => {
    const [rows, columns] = about.shape;
    const canvas = Object.assign(document.createElement("canvas"), { height: rows, width: columns });
    const image = new ImageData(columns, rows);
    const words = new Uint32Array(image.data.buffer);
    const colors = about.signed ? signs : sizes;
    const [least, most] = { both: [-1, 1], for: [0, 1], against: [-1, 0] }[about.signed ? model.get("sign") : "both"];
    for (let i = 0; i < words.length; i++) {
      const part = Math.max(least, Math.min(most, ((codes[i] / CODES) * about.peak) / about.scale));
      words[i] = colors[Math.round(255 * (about.signed ? (part + 1) / 2 : Math.max(0, part)))];
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };

  const reload = () => {
    const [columns, rows, cells] = [model.get("columns"), model.get("rows"), model.get("cells")];
    const all = typed(Int16Array, model.get("values"));
    gray = pictureOf(model.get("pixels"), size(), true);
    picture = Object.assign(pictureOf(model.get("pixels"), size()), { className: "cw-plain", role: "img" });
    picture.setAttribute("aria-label", "the picture");
    outlined = edgeOf(typed(Uint8Array, model.get("mask")), size());
    let start = 0;
    maps = cells.map((about) => {
      const count = about.shape ? about.shape[0] * about.shape[1] : 0;
      const codes = all.subarray(start, (start += count));
      return { about, codes, canvas: h("canvas", { className: "cw-canvas", role: "img", tabIndex: 0 }), value: h("div", { className: "cw-line cw-value" }) };
    });
    table.replaceChildren(...rows.map((text, i) => h("div", { className: "cw-row", role: "group", "aria-label": text },
      h("div", { className: "cw-cell cw-head" }, titleOf(text), ...(i ? [] : [picture])),
      ...columns.map((column, j) => cellOf(maps[i * columns.length + j], column, text)))));
    repaint();
  };

  const titleOf = (text) => h("div", { className: "cw-title", dir: "auto", title: text }, text);

  const cellOf = (map, column, row) => {
    const { shape, text } = map.about;
    const notes = h("div", { className: "cw-note", title: text }, text);
    const cell = (...parts) => h("div", { className: "cw-cell", role: "group", "aria-label": `${column}, ${row}` }, titleOf(column), ...parts);
    if (!shape) {
      map.none = h("div", { className: "cw-none" }, text);
      return cell(map.none);
    }
    map.canvas.setAttribute("aria-label", `${column}, ${row}; arrow keys move the cursor`);
    map.canvas.addEventListener("pointermove", (event) => moveTo(pixelAt(map.canvas, event)));
    map.canvas.addEventListener("pointerdown", (event) => moveTo(pixelAt(map.canvas, event)));
    map.canvas.addEventListener("keydown", moveByKey);
    map.legend = legendOf(map.about);
    return cell(map.canvas, map.legend, map.value, notes);
  };

  /** The colors of a map from end to end, with the numbers that they stand for. */
  const legendOf = ({ signed, scale }) => {
    const colors = signed ? signs : sizes;
    const stops = Array.from({ length: 18 }, (_, k) => cssColor(colors[15 * k]));
    const texts = (signed ? [-scale, 0, scale] : [0, scale]).map((value) => h("span", {}, format(value)));
    const bar = h("div", { className: signed ? "cw-colors cw-signed" : "cw-colors" });
    bar.style.background = `linear-gradient(to right, ${stops.join()})`;
    return h("div", { className: "cw-scale" }, bar, h("div", { className: "cw-ends" }, ...texts));
  };

  /** The maps' colors again, and everything that is drawn of them. */
  const repaint = () => {
    for (const map of maps) if (map.about.shape) map.image = paintMap(map);
    draw();
  };

  const paint = () => {
    const [height, width] = size();
    if (!height || !width || !root.clientWidth) return;
    const across = perLine(model.get("columns").length + 1, root.clientWidth);
    table.style.setProperty("--columns", across);
    const room = Math.min(model.get("width"), (root.clientWidth - (across - 1) * GAP) / across);
    const scale = Math.min(room / width, model.get("width") / height);
    table.style.setProperty("--room", `${room}px`);
    Object.assign(picture.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    for (const map of maps) {
      if (map.about.shape) paintCell(map, height, width, scale);
      else map.none.style.minHeight = `${height * scale}px`;
    }
    root.toggleAttribute("data-large", model.get("large"));
    sign.hidden = !model.get("sided") || !maps.some(({ about }) => about.signed);
    opacity.value = model.get("opacity");
    const cursor = position(model.get("cursor"));
    line.textContent = cursor ? `row ${Math.round(cursor[0])}, column ${Math.round(cursor[1])}` : model.get("lock") ? "" : HINT;
  };

  const paintCell = (map, height, width, scale) => {
    const context = resize(map.canvas, width * scale, height * scale);
    map.legend.style.width = `${Math.max(width * scale, 96)}px`;
    context.imageSmoothingEnabled = scale < 2;
    context.drawImage(gray, 0, 0, width * scale, height * scale);
    context.globalAlpha = model.get("opacity");
    context.imageSmoothingEnabled = map.about.shape[0] < height; // a coarse map is enlarged smoothly
    context.drawImage(map.image, 0, 0, width * scale, height * scale);
    context.globalAlpha = 1;
    for (const [y, x, tall, wide] of outlined) {
      context.fillStyle = getComputedStyle(root).getPropertyValue("--cw-mark") || "#ffb000";
      context.fillRect(x * scale - 1, y * scale - 1, wide * scale + 2, tall * scale + 2);
    }
    const cursor = position(model.get("cursor"));
    const value = cursor && valueAt(map, cursor);
    const beyond = Math.abs(value) > map.about.scale * (1 + 1e-4) ? " (off the scale)" : "";
    map.value.textContent = cursor ? `here ${format(value)}${beyond}` : map.about.quantity;
    if (!cursor) return;
    const [y, x] = cursor.map((v) => (Math.round(v) + 0.5) * scale);
    outline(context, x - 4, y - 4, 8, 8, "#ffffff", 1.5);
  };

  const draw = drawer(table, paint);

  const pixelAt = (canvas, event) => {
    const area = canvas.getBoundingClientRect();
    const [height, width] = size();
    return [((event.clientY - area.top) * height) / area.height - 0.5, ((event.clientX - area.left) * width) / area.width - 0.5];
  };
  const moveTo = (at) => {
    if (model.get("lock")) return;
    put(model, { cursor: at.map((v, k) => Math.max(0, Math.min(size()[k] - 1, Math.round(v)))) });
  };
  const moveByKey = (event) => {
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    const here = position(model.get("cursor")) ?? size().map((n) => n / 2);
    moveTo(here.map((v, k) => v + way[k] * (event.shiftKey ? 8 : 1)));
  };
  opacity.addEventListener("input", () => put(model, { opacity: Number(opacity.value) }));

  ends.push(
    listen(model, ["pixels", "shape", "values", "cells", "rows", "columns", "mask"], once(reload)),
    listen(model, ["sign"], repaint),
    listen(model, ["opacity", "cursor", "width", "lock", "sided", "large"], draw),
    watch(root, draw),
    draw.stop,
  );
  reload();
  return () => ends.forEach((end) => end());
}

/** The edges of a mask as thin rectangles [top, left, height, width], in pixels. */
function edgeOf(mask, shape) {
  const [height, width] = shape;
  const edges = [];
  if (!mask.length) return edges;
  const at = (i, j) => i >= 0 && j >= 0 && i < height && j < width && mask[i * width + j];
  for (let i = 0; i <= height; i++) {
    for (let j = 0; j <= width; j++) {
      if (j < width && !at(i, j) !== !at(i - 1, j)) edges.push([i, j, 0, 1]);
      if (i < height && !at(i, j) !== !at(i, j - 1)) edges.push([i, j, 1, 0]);
    }
  }
  return edges;
}

export default { render };
