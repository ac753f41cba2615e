// @ts-check
// Many small maps on one canvas. Sorting, scale, colors, zoom, hover and selection happen here, without the kernel.

import { drawCross, drawLines, drawNumber } from "./grid_marks.js";
import { overlayOf } from "./grid_overlay.js";
import { tilesIn } from "./grid_tiles.js";
import { counted, eachOf, toolbar, zoomButtons } from "./grid_tools.js";
import { colorTable, drawLegend, drawer, elided, h, listen, once, outline, position, put, resize, rgba, typed, watch } from "./shared.js";
import { format } from "./numbers.js";

const LABEL = 18;
const SPOTS_FROM = 36; // CSS pixels: smaller tiles show the cursor only where the pointer is
const NUMBERS_FROM = 56; // and no number

/** @param {import("./host").Host<import("./traits").ImageGrid>} host */
function render({ model, el }) {
  const canvas = h("canvas", { tabIndex: 0, className: "cw-canvas", role: "application" });
  const space = h("div", { className: "cw-space" }, canvas);
  const scroll = h("div", { className: "cw-scroll" }, space);
  const legend = h("canvas", { className: "cw-legend", role: "img" });
  const line = h("div", { className: "cw-line", role: "status", "aria-live": "polite" });
  const title = h("div", { className: "cw-title" });
  const zoom = (factor) => put(model, { tile: Math.round(Math.max(12, Math.min(600, layout.tile * factor))) });
  const buttons = zoomButtons(zoom);
  const head = h("div", { className: "cw-head" }, title, buttons);
  const ends = [];
  const quantity = h("span");
  const tools = toolbar(model, quantity, legend, ends);
  line.style.minHeight = `${1.5 * model.get("lines")}em`;
  line.hidden = model.get("hide").includes("line");
  const root = h("div", { className: "cw cw-grid", "data-lm-suppress-shortcuts": "true" }, head, tools, scroll, line);
  el.append(root);

  const atlas = document.createElement("canvas");
  const overlay = overlayOf(model);
  let data, table, layout, hover = null, used = false;

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

  /** What the colors span: a map of one value has no range of its own. */
  const scaleOf = () => (model.get("scale") === "map" && data.height * data.width === 1 ? "layer" : model.get("scale"));

  /** From where to where the colors run for one map. */
  const range = (map) => {
    let [lo, hi] = [data.lo[map], data.hi[map]];
    if (scaleOf() === "fixed") [lo, hi] = model.get("limits");
    else if (scaleOf() === "layer") [lo, hi] = span();
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
    const whole = scaleOf() === "map" ? null : range(0);
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
        else for (let x = 0; x < width; x++, from += 3) {
          const [r, g, b] = [level[pixels[from]], level[pixels[from + 1]], level[pixels[from + 2]]];
          const gray = 0.299 * r + 0.587 * g + 0.114 * b; // under an overlay colors are its own
          words[to++] = overlay.shown ? rgba(gray, gray, gray) : rgba(r, g, b);
        }
      }
      for (const i of blank) words[left + Math.floor(i / width) * atlas.width + (i % width)] = 0;
    }
    atlas.getContext("2d").putImageData(image, 0, 0);
  };

  const order = () => {
    const chosen = model.get("orders")?.[model.get("sort")];
    return chosen?.byteLength ? typed(Int32Array, chosen) : Int32Array.from({ length: data.count }, (_, i) => i);
  };

  /** Where the tiles lie, and in which order. */
  const arrange = () => {
    const { count, height, width } = data;
    const most = model.get("height");
    const maps = order();
    const place = new Int32Array(count);
    maps.forEach((map, slot) => (place[map] = slot));
    const tiles = tilesIn({
      count, height, width, most, room: Math.max(120, scroll.clientWidth), gap: model.get("mosaic").length ? 9 : 3,
      below: model.get("labels").length ? LABEL : 0, wanted: model.get("tile"),
    });
    layout = { ...layout, ...tiles, maps, place };
    space.style.height = `${layout.total}px`;
    scroll.style.maxHeight = `${most}px`;
    scroll.style.height = model.get("steady") ? `${most}px` : "";
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
    const shared = !model.get("told").length; // of maps that are told as wholes a place on one says nothing of the others
    const labels = model.get("labels");
    const mosaic = model.get("mosaic");
    const numbered = model.get("numbered") && Math.min(layout.tile, layout.tall) >= NUMBERS_FROM;
    for (let slot = first; slot < last; slot++) {
      const map = layout.maps[slot];
      const [x, y] = corner(slot);
      const from = [(map % layout.across) * data.width, Math.floor(map / layout.across) * data.height];
      context.globalAlpha = data.dim[map] ? 0.35 : 1;
      context.drawImage(atlas, ...from, data.width, data.height, x, y, layout.tile, layout.tall);
      context.globalAlpha = 1;
      const tile = [x, y, layout.tile, layout.tall];
      overlay.draw(context, map, tile, [data.height, data.width]);
      if (mosaic.length && mosaic[0] * mosaic[1] > 1) drawLines(context, tile, [data.height / mosaic[0], data.width / mosaic[1]]);
      if (labels.length) {
        Object.assign(context, { font: "13px sans-serif", textAlign: "center", fillStyle: style.color });
        context.fillText(elided(context, labels[map], layout.tile + layout.gap - 2), x + layout.tile / 2, y + layout.tall + 14);
      }
      if (data.dim[map]) drawCross(context, tile, style.color);
      if (numbered && map !== hover?.map) drawNumber(context, tile, map);
      if (cursor && data.height * data.width > 1 && ((shared && layout.tile >= SPOTS_FROM) || map === hover?.map)) spot(context, x, y, cursor, map === hover?.map);
    }
    const selected = model.get("selected");
    if (selected >= 0 && selected < data.count) {
      outline(context, ...corner(layout.place[selected]), layout.tile, layout.tall, style.getPropertyValue("--cw-mark") || "#ffb000", 3);
    }
    const described = hover ?? (selected >= 0 ? { map: selected, ...at(cursor) } : null);
    line.textContent = describe(described);
    if (legend.isConnected) {
      const [noun, each] = [model.get("noun"), scaleOf() === "map"];
      quantity.textContent = model.get("quantity") + (each && described ? `, ${noun} ${described.map}` : "");
      const words = each && !described && [`lowest of ${eachOf(model)}`, "0", `highest of ${eachOf(model)}`];
      drawLegend(legend, Array.from(table), ...range(described?.map ?? 0), style.color, words);
    }
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
      const count = counted(data.count, model.get("noun"));
      const hands = model.get("lock").includes("unit") ? "" : ", click to select";
      return used ? count : `${count}. Hover to read values${hands}.`;
    }
    if (model.get("told").length) {
      const here = overlay.there && what.row !== undefined ? [overlay.told(what.map, what.row, what.column)] : [];
      return [model.get("told")[what.map], ...here].join(" · ");
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

  const select = (map) => {
    if (model.get("lock").includes("unit")) return {};
    return { selected: model.get("toggles") && map === model.get("selected") ? -1 : map };
  };

  const draw = drawer(canvas, paint);
  const rearrange = () => { arrange(); draw(); };
  const recolor = () => { colorize(); draw(); };
  const light = () => { overlay.tint(); draw(); };
  const reload = () => {
    readData();
    hover = null;
    title.textContent = model.get("title");
    tools.hidden = !model.get("tools");
    buttons.hidden = tools.hidden || model.get("hide").includes("zoom");
    head.hidden = buttons.hidden && !title.textContent;
    canvas.setAttribute("aria-label", `${model.get("title")}: ${counted(data.count, model.get("noun"))}`);
    overlay.tint();
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
    used ||= found !== null;
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
      [hover, used] = [null, true];
      put(model, select(layout.maps[slot]));
      reveal(layout.maps[slot]);
    } else if (event.key === "Escape" && model.get("toggles")) {
      put(model, select(model.get("selected")));
    } else if (event.key === "+" || event.key === "-") {
      zoom(event.key === "+" ? 1.25 : 0.8);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  scroll.addEventListener("scroll", draw);

  ends.push(
    listen(model, ["pixels", "shape", "lo", "hi", "span", "dim", "title", "tools", "labels", "mosaic", "overlay"], once(reload)),
    listen(model, ["scale", "limits", "contrast", "colors", "opacity"], recolor),
    listen(model, ["lit"], light),
    listen(model, ["orders", "sort", "tile", "height", "steady"], rearrange),
    listen(model, ["selected", "cursor", "lock", "numbered", "quantity", "told"], draw),
    watch(scroll, rearrange),
    draw.stop,
  );
  reload();
  return () => ends.forEach((end) => end());
}

export default { render };
