// Maps over one picture, in a table: a canvas a cell, and one cursor for all of them.

import { ARROWS, choice, colorTable, drawLegend, drawer, h, listen, once, outline, pictureOf, position, put, resize, typed, watch } from "./shared.js";
import { format } from "./numbers.js";

const CODES = 32767;

function render({ model, el }) {
  const table = h("div", { className: "cw-maps", role: "table" });
  const bar = h("canvas", { className: "cw-bar", role: "img" });
  const scaleNote = h("span", { className: "cw-line" });
  const line = h("div", { className: "cw-line", role: "status", "aria-live": "polite" });
  const opacity = h("input", { type: "range", min: 0, max: 1, step: 0.05, title: "opacity of the maps over the picture" });
  const ends = [];
  const sign = choice(model, "sign", "evidence", [["both", "for and against"], ["for", "for the score"], ["against", "against it"]],
    "which values of signed maps are shown", ends);
  const tools = h("div", { className: "cw-tools" }, h("label", { className: "cw-choice" }, "maps over picture", opacity), sign);
  const root = h("div", { className: "cw cw-map-table", "data-lm-suppress-shortcuts": "true" },
    tools, table, h("div", { className: "cw-scale" }, bar, scaleNote), line);
  el.append(root);
  const [sizes, signs] = [colorTable("viridis"), colorTable("diverging")];
  let [picture, maps, outlined] = [null, [], null];

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
    const [columns, rows, cells] = ["columns", "rows", "cells"].map((trait) => model.get(trait));
    const all = typed(Int16Array, model.get("values"));
    picture = pictureOf(model.get("pixels"), size(), true);
    outlined = edgeOf(typed(Uint8Array, model.get("mask")), size());
    let start = 0;
    maps = cells.map((about) => {
      const count = about.shape ? about.shape[0] * about.shape[1] : 0;
      const codes = all.subarray(start, (start += count));
      return { about, codes, canvas: h("canvas", { className: "cw-canvas", role: "img", tabIndex: 0 }), value: h("span") };
    });
    table.replaceChildren(
      h("div", { className: "cw-row", role: "row" }, h("div", { className: "cw-head", role: "columnheader" }),
        ...columns.map((text) => h("div", { className: "cw-title", role: "columnheader", title: text }, text))),
      ...rows.map((text, i) => h("div", { className: "cw-row", role: "row" },
        h("div", { className: "cw-head", role: "rowheader", title: text }, h("div", { className: "cw-words" }, text), plain()),
        ...columns.map((column, j) => cellOf(maps[i * columns.length + j], `${column}, ${text}`)))));
    table.style.setProperty("--columns", columns.length);
    repaint();
  };

  /** The picture itself, in its colors. */
  const plain = () => {
    const canvas = pictureOf(model.get("pixels"), size());
    Object.assign(canvas, { className: "cw-plain", role: "img" }).setAttribute("aria-label", "the picture");
    return canvas;
  };

  const cellOf = (map, name) => {
    if (!map.about.shape) {
      const none = h("div", { className: "cw-none" }, map.about.text);
      none.style.aspectRatio = `${size()[1]} / ${size()[0]}`; // as large as a map
      none.style.maxWidth = `${model.get("width")}px`;
      return h("div", { className: "cw-cell", role: "cell" }, none);
    }
    map.canvas.setAttribute("aria-label", `${name}; arrow keys move the cursor`);
    map.canvas.addEventListener("pointermove", (event) => moveTo(pixelAt(map.canvas, event)));
    map.canvas.addEventListener("pointerdown", (event) => moveTo(pixelAt(map.canvas, event)));
    map.canvas.addEventListener("keydown", moveByKey);
    const scale = `scale ${format(map.about.scale)}`;
    return h("div", { className: "cw-cell", role: "cell" }, map.canvas,
      h("div", { className: "cw-line" }, map.value, h("span", { title: "the value that has the color of 1" }, scale)),
      h("div", { className: "cw-line cw-note", title: map.about.text }, map.about.text));
  };

  /** The maps' colors again, and everything that is drawn of them. */
  const repaint = () => {
    for (const map of maps) if (map.about.shape) map.image = paintMap(map);
    draw();
  };

  const paint = () => {
    const [height, width] = size();
    if (!height || !width || !root.clientWidth) return;
    const anySigned = maps.some(({ about }) => about.signed);
    sign.hidden = !anySigned;
    const ink = getComputedStyle(root).getPropertyValue("color");
    if (anySigned) drawLegend(bar, signs, -1, 1, ink);
    else drawLegend(bar, sizes, 0, 1, ink);
    const both = anySigned && maps.some(({ about }) => about.shape && !about.signed);
    scaleNote.textContent = `in parts of each map's scale, which is below it${both ? "; maps without a sign: dark is 0, yellow is 1" : ""}`;
    for (const map of maps) if (map.about.shape) paintCell(map, height, width);
    opacity.value = model.get("opacity");
    line.textContent = position(model.get("cursor")) ? `row ${Math.round(model.get("cursor")[0])}, column ${Math.round(model.get("cursor")[1])}` : "point at a map: its value there";
  };

  const paintCell = (map, height, width) => {
    const scale = Math.max(60, Math.min(map.canvas.parentElement.clientWidth || 1e4, model.get("width"))) / width;
    const context = resize(map.canvas, width * scale, height * scale);
    context.imageSmoothingEnabled = scale < 2;
    context.drawImage(picture, 0, 0, width * scale, height * scale);
    context.globalAlpha = model.get("opacity");
    context.imageSmoothingEnabled = map.about.shape[0] < height; // a coarse map is enlarged smoothly
    context.drawImage(map.image, 0, 0, width * scale, height * scale);
    context.globalAlpha = 1;
    for (const [y, x, tall, wide] of outlined) {
      context.fillStyle = getComputedStyle(root).getPropertyValue("--cw-mark") || "#ffb000";
      context.fillRect(x * scale - 1, y * scale - 1, wide * scale + 2, tall * scale + 2);
    }
    const cursor = position(model.get("cursor"));
    map.value.textContent = cursor ? `${format(valueAt(map, cursor))} · ` : "";
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
    listen(model, ["opacity", "cursor", "width", "lock"], draw),
    watch(root, draw),
    draw.stop,
  );
  reload();
  return () => ends.forEach((end) => end());
}

/** The edges of a mask as thin rectangles [top, left, height, width], in pixels. */
function edgeOf(mask, [height, width]) {
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
