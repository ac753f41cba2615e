// Many small maps on one canvas. Sorting, scale, colors, zoom, hover and selection happen here, without the kernel.

import { choice, colorTable, drawLegend, drawer, elided, h, listen, once, outline, position, put, resize, rgba, typed, watch } from "./shared.js";
import { format } from "./numbers.js";

const LABEL = 18;
const SPOTS_FROM = 36; // CSS pixels: smaller tiles show the cursor only where the pointer is

function render({ model, el }) {
  const canvas = h("canvas", { tabIndex: 0, className: "cw-canvas", role: "application" });
  const space = h("div", { className: "cw-space" }, canvas);
  const scroll = h("div", { className: "cw-scroll" }, space);
  const legend = h("canvas", { className: "cw-legend", role: "img" });
  const line = h("div", { className: "cw-line", role: "status", "aria-live": "polite" });
  const title = h("div", { className: "cw-title" });
  const ends = [];
  const tools = toolbar(model, legend, ends);
  line.hidden = model.get("hide").includes("line");
  const root = h("div", { className: "cw cw-grid", "data-lm-suppress-shortcuts": "true" }, title, tools, scroll, line);
  el.append(root);

  const atlas = document.createElement("canvas");
  let data, table, layout, hover = null;

  const readData = () => {
    const [count, height, width, channels] = model.get("shape");
    data = {
      count, height, width, channels,
      pixels: typed(Uint8Array, model.get("pixels")),
      lo: typed(Float32Array, model.get("lo")),
      hi: typed(Float32Array, model.get("hi")),
      dim: typed(Uint8Array, model.get("dim")),
    };
  };

  /** From where to where the colors run for one map. */
  const range = (map) => {
    let [lo, hi] = [data.lo[map], data.hi[map]];
    if (model.get("scale") === "fixed") [lo, hi] = model.get("limits");
    else if (model.get("scale") === "layer") [lo, hi] = span();
    const contrast = model.get("contrast");
    const around = colors() === "diverging" || (data.channels === 3 && signed()); // zero in the middle: white, or gray
    if (around) [lo, hi] = [-Math.max(-lo, hi, 0), Math.max(-lo, hi, 0)];
    return lo < 0 && hi > 0 ? [lo / contrast, hi / contrast] : [lo, lo + (hi - lo) / contrast];
  };

  /** Lowest and highest value of the layer, of which these maps may be a part. */
  const span = () => {
    if (model.get("span").length) return model.get("span");
    return [data.lo.reduce((a, b) => Math.min(a, b)), data.hi.reduce((a, b) => Math.max(a, b))];
  };
  const signed = () => span()[0] < 0;
  const colors = () => (model.get("colors") === "auto" ? (signed() ? "diverging" : "viridis") : model.get("colors"));
  const value = (map, row, column, channel = 0) => {
    const byte = data.pixels[((map * data.height + row) * data.width + column) * data.channels + channel];
    return data.lo[map] + (byte / 255) * (data.hi[map] - data.lo[map]);
  };

  /** Part, row and column of a position in a map that is made of parts; null where the square has no part. */
  const part = (row, column) => {
    const [rows, columns, parts] = model.get("mosaic");
    const index = Math.floor(row / rows) * (data.width / columns) + Math.floor(column / columns);
    return index < parts ? { index, row: row % rows, column: column % columns } : null;
  };

  /** Color all maps into the atlas, one pixel a position. */
  const colorize = () => {
    const { count, height, width, channels, pixels } = data;
    if (!count) return;
    table = colorTable(channels === 3 ? "gray" : colors());
    layout = { ...layout, across: Math.ceil(Math.sqrt((count * height) / width)) };
    atlas.width = layout.across * width;
    atlas.height = Math.ceil(count / layout.across) * height;
    const image = new ImageData(atlas.width, atlas.height);
    const words = new Uint32Array(image.data.buffer);
    const whole = model.get("scale") === "map" ? null : range(0);
    const blank = [];
    if (model.get("mosaic").length) {
      for (let i = 0; i < height * width; i++) if (!part(Math.floor(i / width), i % width)) blank.push(i);
    }
    const level = new Uint8ClampedArray(256);
    for (let map = 0; map < count; map++) {
      const [lo, hi] = whole ?? range(map);
      const [scale, shift] = [(data.hi[map] - data.lo[map]) / ((hi - lo) || 1), ((data.lo[map] - lo) / ((hi - lo) || 1)) * 255];
      for (let byte = 0; byte < 256; byte++) level[byte] = byte * scale + shift;
      const left = (map % layout.across) * width + Math.floor(map / layout.across) * height * atlas.width;
      for (let row = 0, from = map * height * width * channels; row < height; row++) {
        let to = left + row * atlas.width;
        if (channels === 1) for (let x = 0; x < width; x++) words[to++] = table[level[pixels[from++]]];
        else for (let x = 0; x < width; x++, from += 3)
          words[to++] = rgba(level[pixels[from]], level[pixels[from + 1]], level[pixels[from + 2]]);
      }
      for (const i of blank) words[left + Math.floor(i / width) * atlas.width + (i % width)] = 0;
    }
    atlas.getContext("2d").putImageData(image, 0, 0);
  };

  const order = () => {
    const chosen = model.get("orders")?.[model.get("sort")];
    return chosen?.byteLength ? typed(Int32Array, chosen) : Int32Array.from({ length: data.count }, (_, i) => i);
  };

  /** The widest tile, within reason, with which all maps are in view. */
  const comfortable = (room, gap) => {
    for (let columns = 1; ; columns++) {
      const tile = Math.floor(room / columns) - gap;
      const rows = Math.ceil(data.count / columns);
      if (tile <= 26 || (tile <= 168 && rows * ((tile * data.height) / data.width + gap) <= model.get("height"))) return Math.max(tile, 26);
    }
  };

  /** Where the tiles lie: as many columns as fit, maps drawn at `tile` pixels in width. */
  const arrange = () => {
    const { count, height, width } = data;
    const room = Math.max(120, scroll.clientWidth);
    const gap = model.get("mosaic").length ? 9 : 3;
    const tile = Math.max(12, Math.min(model.get("tile") || comfortable(room, gap), room - gap));
    const tall = Math.max(12, Math.min((tile * height) / width, 400));
    const wide = Math.min(Math.max(tile, (tall * width) / height), room - gap);
    const columns = Math.max(1, Math.floor(room / (wide + gap)));
    const maps = order();
    const place = new Int32Array(count);
    maps.forEach((map, slot) => (place[map] = slot));
    const pitch = tall + gap + (model.get("labels").length ? LABEL : 0);
    layout = { ...layout, columns, gap, tile: wide, tall, pitch, maps, place, total: Math.ceil(count / columns) * pitch };
    space.style.height = `${layout.total}px`;
    scroll.style.maxHeight = `${model.get("height")}px`;
  };

  const corner = (slot) => [
    (slot % layout.columns) * (layout.tile + layout.gap) + layout.gap / 2,
    Math.floor(slot / layout.columns) * layout.pitch + layout.gap / 2,
  ];

  const paint = () => {
    if (!data.count || !scroll.clientWidth) return; // hidden: what is drawn stays
    const seen = Math.min(layout.total, scroll.clientHeight || model.get("height"));
    const context = resize(canvas, scroll.clientWidth, seen);
    const style = getComputedStyle(root);
    const first = Math.floor(scroll.scrollTop / layout.pitch) * layout.columns;
    const last = Math.min(data.count, first + (Math.ceil(seen / layout.pitch) + 1) * layout.columns);
    context.translate(0, -scroll.scrollTop);
    context.imageSmoothingEnabled = layout.tile < data.width;
    const cursor = position(model.get("cursor"));
    const labels = model.get("labels");
    const mosaic = model.get("mosaic");
    Object.assign(context, { font: "12px sans-serif", textAlign: "center" });
    for (let slot = first; slot < last; slot++) {
      const map = layout.maps[slot];
      const [x, y] = corner(slot);
      const from = [(map % layout.across) * data.width, Math.floor(map / layout.across) * data.height];
      context.globalAlpha = data.dim[map] ? 0.35 : 1;
      context.drawImage(atlas, ...from, data.width, data.height, x, y, layout.tile, layout.tall);
      context.globalAlpha = 1;
      if (mosaic.length) lines(context, x, y, mosaic);
      if (labels.length) {
        context.fillStyle = style.color;
        context.fillText(elided(context, labels[map], layout.tile), x + layout.tile / 2, y + layout.tall + 14);
      }
      if (data.dim[map]) cross(context, x, y, style.color);
      if (cursor && data.height * data.width > 1 && (layout.tile >= SPOTS_FROM || map === hover?.map)) spot(context, x, y, cursor, map === hover?.map);
    }
    const selected = model.get("selected");
    if (selected >= 0 && selected < data.count) {
      outline(context, ...corner(layout.place[selected]), layout.tile, layout.tall, style.getPropertyValue("--cw-mark") || "#ffb000", 3);
    }
    const described = hover ?? (selected >= 0 ? { map: selected, ...at(cursor) } : null);
    line.textContent = describe(described);
    if (legend.isConnected) {
      const free = !described && model.get("scale") === "map";
      drawLegend(legend, Array.from(table), ...range(described?.map ?? 0), style.color, free && ["its lowest", "0", "its highest"]);
    }
  };

  /** Thin lines between the parts of a map, where there is room for them. */
  const lines = (context, x, y, [rows, columns]) => {
    const [down, right] = [data.height / rows, data.width / columns];
    if (rows * columns === 1 || layout.tile / right < 5) return;
    context.fillStyle = "#777";
    for (let i = 1; i < right; i++) context.fillRect(x + (i * layout.tile) / right - 0.5, y, 1, layout.tall);
    for (let i = 1; i < down; i++) context.fillRect(x, y + (i * layout.tall) / down - 0.5, layout.tile, 1);
  };

  const cross = (context, x, y, color) => {
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + layout.tile, y + layout.tall);
    context.moveTo(x + layout.tile, y);
    context.lineTo(x, y + layout.tall);
    context.stroke();
  };

  const spot = (context, x, y, [row, column], strong) => {
    const [w, t] = [layout.tile / data.width, layout.tall / data.height];
    const size = [Math.max(w, 4), Math.max(t, 4)];
    const left = x + (column + 0.5) * w - size[0] / 2;
    const top = y + (row + 0.5) * t - size[1] / 2;
    context.globalAlpha = strong ? 1 : 0.55;
    outline(context, left, top, ...size, "white", 1);
    context.globalAlpha = 1;
  };

  const at = (cursor) => {
    if (!cursor) return {};
    const [row, column] = cursor.map(Math.round);
    return row >= 0 && row < data.height && column >= 0 && column < data.width ? { row, column } : {};
  };

  const describe = (what) => {
    if (!what || what.map >= data.count) {
      const hands = model.get("lock").includes("unit") ? "" : ", click to select, arrow keys to move";
      return `${data.count} ${model.get("noun")}s · hover for values${hands}`;
    }
    const parts = [`${model.get("noun")} ${what.map}${data.dim[what.map] ? " (dead)" : ""}`];
    if (what.row !== undefined) {
      const place = model.get("mosaic").length ? part(what.row, what.column) : what;
      if (!place) return parts[0];
      if (place.index !== undefined) parts.push(`channel ${place.index}`);
      if (data.height * data.width > 1) parts.push(`row ${place.row}, column ${place.column}`);
      const one = (channel) => format(value(what.map, what.row, what.column, channel));
      parts.push(data.channels === 3 ? `R ${one(0)}  G ${one(1)}  B ${one(2)}` : `≈ ${one(0)}`);
    }
    parts.push(`from ${format(data.lo[what.map])} to ${format(data.hi[what.map])}`);
    return parts.join(" · ");
  };

  const find = (event) => {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top + scroll.scrollTop];
    const column = Math.floor(x / (layout.tile + layout.gap));
    const slot = Math.floor(y / layout.pitch) * layout.columns + column;
    if (column >= layout.columns || slot < 0 || slot >= data.count) return null;
    const [left, top] = corner(slot);
    const inside = (v, size, count) => Math.max(0, Math.min(count - 1, Math.floor((v / size) * count)));
    return {
      map: layout.maps[slot],
      row: inside(y - top, layout.tall, data.height),
      column: inside(x - left, layout.tile, data.width),
    };
  };

  const reveal = (map) => {
    const [, top] = corner(layout.place[map]);
    if (top < scroll.scrollTop) scroll.scrollTop = top - layout.gap;
    else if (top + layout.tall > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + layout.tall + layout.gap - scroll.clientHeight;
  };

  const select = (map) => (model.get("lock").includes("unit") ? {} : { selected: map });

  const draw = drawer(canvas, paint);
  const rearrange = () => { arrange(); draw(); };
  const recolor = () => { colorize(); draw(); };
  const reload = () => {
    readData();
    hover = null;
    title.textContent = model.get("title");
    title.hidden = !title.textContent;
    tools.hidden = !model.get("tools");
    canvas.setAttribute("aria-label", `${model.get("title")}: ${data.count} ${model.get("noun")}s`);
    colorize();
    rearrange();
  };

  canvas.addEventListener("pointermove", (event) => {
    hover = find(event);
    if (hover) put(model, { cursor: [hover.row, hover.column] });
    draw();
  });
  canvas.addEventListener("pointerleave", () => { hover = null; draw(); });
  canvas.addEventListener("click", (event) => {
    const found = find(event);
    if (found) put(model, { ...select(found.map), cursor: [found.row, found.column] });
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("keydown", (event) => {
    if (!data.count || event.ctrlKey || event.metaKey || event.altKey) return;
    const selected = model.get("selected");
    const page = layout.columns * Math.max(1, Math.floor(scroll.clientHeight / layout.pitch));
    const steps = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -layout.columns, ArrowDown: layout.columns,
      PageUp: -page, PageDown: page, Home: -data.count, End: data.count,
    };
    if (event.shiftKey && event.key.startsWith("Arrow")) {
      const [row, column] = position(model.get("cursor")) ?? [0, 0];
      const [down, right] = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      const clip = (v, size) => Math.max(0, Math.min(size - 1, Math.round(v)));
      put(model, { cursor: [clip(row + down, data.height), clip(column + right, data.width)] });
    } else if (event.key in steps) {
      const from = selected >= 0 ? layout.place[selected] : event.key === "End" ? 0 : -steps[event.key];
      const slot = Math.max(0, Math.min(data.count - 1, from + steps[event.key]));
      hover = null;
      put(model, select(layout.maps[slot]));
      reveal(layout.maps[slot]);
    } else if (event.key === "+" || event.key === "-") {
      zoom(event.key === "+" ? 1.25 : 0.8);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const zoom = (factor) => put(model, { tile: Math.round(Math.max(12, Math.min(600, layout.tile * factor))) });
  tools.querySelector(".cw-smaller").addEventListener("click", () => zoom(0.8));
  tools.querySelector(".cw-larger").addEventListener("click", () => zoom(1.25));
  scroll.addEventListener("scroll", draw);

  ends.push(
    listen(model, ["pixels", "shape", "lo", "hi", "span", "dim", "title", "tools", "labels", "mosaic"], once(reload)),
    listen(model, ["scale", "limits", "contrast", "colors"], recolor),
    listen(model, ["orders", "sort", "tile", "height"], rearrange),
    listen(model, ["selected", "cursor", "lock"], draw),
    watch(scroll, rearrange),
    draw.stop,
  );
  reload();
  return () => ends.forEach((end) => end());
}

function toolbar(model, legend, ends) {
  const tools = h("div", { className: "cw-tools" });
  const offer = (trait, label, options, title) => {
    if (model.get("hide").includes(trait)) return;
    const control = choice(model, trait, label, options, title, ends);
    control.querySelector("select").disabled = model.get("lock").includes(trait);
    tools.append(control);
  };
  const same = (names) => names.map((name) => [name, name]);
  const sorts = Object.keys(model.get("orders"));
  if (sorts.length > 1) offer("sort", "Sort by", same(sorts), "the order of the tiles");
  offer("scale", "Scale", [["map", `each ${model.get("noun")}`], ["layer", "whole layer"], ["fixed", "fixed"]],
    "what the darkest and the brightest color stand for");
  if (!model.get("hide").includes("limits")) tools.append(limits(model, ends));
  if (!model.get("hide").includes("contrast")) tools.append(contrast(model, ends));
  offer("colors", "Colors", same(["auto", "viridis", "gray", "diverging"]), "the color table");
  const button = (className, text, title) => h("button", { className, title, "aria-label": title }, text);
  tools.append(
    h("span", { className: "cw-zoom" }, button("cw-smaller", "−", "smaller tiles (-)"), button("cw-larger", "+", "larger tiles (+)")),
    legend,
  );
  return tools;
}

/** Two numbers, shown while the scale is fixed. */
function limits(model, ends) {
  const [low, high] = ["from", "to"].map((text) => h("input", { type: "number", step: "any", title: `the fixed scale runs ${text} here`, "aria-label": text }));
  const box = h("span", { className: "cw-choice" }, low, "to", high);
  const show = () => {
    box.hidden = model.get("scale") !== "fixed";
    [low.value, high.value] = model.get("limits");
    low.disabled = high.disabled = model.get("lock").includes("limits");
  };
  box.addEventListener("change", () => {
    const [lo, hi] = [low.valueAsNumber, high.valueAsNumber];
    if (lo < hi) put(model, { limits: [lo, hi] });
    else show();
  });
  ends.push(listen(model, ["scale", "limits"], show));
  show();
  return box;
}

/** A slider that lets the colors run out earlier, so that weak values show. */
function contrast(model, ends) {
  const slider = h("input", { type: "range", min: 1, max: 16, step: 0.5, title: "let the brightest color stand for a smaller value" });
  const show = () => (slider.value = model.get("contrast"));
  slider.disabled = model.get("lock").includes("contrast");
  slider.addEventListener("input", () => put(model, { contrast: slider.valueAsNumber }));
  ends.push(listen(model, ["contrast"], show));
  show();
  return h("label", { className: "cw-choice" }, "Contrast", slider);
}

export default { render };
