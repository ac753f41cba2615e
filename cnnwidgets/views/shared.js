// @ts-check
// Put in front of every view's module: colors, numbers, elements, sizes. Touches only what it is given.

import { format } from "./numbers.js";

// Anchors of perceptually ordered, color-blind safe tables (Matplotlib's viridis and gray, ColorBrewer's RdBu reversed).
const ANCHORS = {
  viridis: ["440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70", "7ad151", "bddf26", "fde725"],
  diverging: ["053061", "2166ac", "4393c3", "92c5de", "d1e5f0", "f7f7f7", "fddbc7", "f4a582", "d6604d", "b2182b", "67001f"],
  gray: ["000000", "ffffff"],
};

/** 256 colors as little-endian RGBA words, ready for a Uint32Array over ImageData. */
export function colorTable(name) {
  const anchors = ANCHORS[name].map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    const [r, g, b] = anchors[low].map((c, k) => Math.round(c + (anchors[low + 1][k] - c) * (at - low)));
    return rgba(r, g, b);
  });
}

export const rgba = (r, g, b) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
/** Black or white: what can be read on a color. Their contrasts, by the formula of WCAG, are equal at a luminance of 0.179. */
export function inkOn(word) {
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = [0, 8, 16].map((shift) => linear(((word >> shift) & 255) / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.179 ? "white" : "black";
}
export const cssColor = (word) => `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255})`;

/** What can have the focus; there JupyterLab looks first whether it may take a key for a shortcut, before any parent. */
const FOCUSABLE = new Set(["button", "canvas", "input", "select"]);

/** An element with properties, attributes (aria-, data-, role) and children; strings become text, never markup. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  if (FOCUSABLE.has(tag) || "tabIndex" in properties) element.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** A labeled drop-down that is tied to a trait of the model; `ends` takes the function that unties it. */
export function choice(model, trait, label, options, title, ends) {
  const select = h("select", { title }, ...options.map(([value, text]) => h("option", { value }, text)));
  const show = () => (select.value = model.get(trait));
  select.addEventListener("change", () => put(model, { [trait]: select.value }));
  ends.push(listen(model, [trait], show));
  show();
  return h("label", { className: "cw-choice" }, label, select);
}

/** Set traits and send them; without a kernel they still change in the browser. */
export function put(model, values) {
  for (const [key, value] of Object.entries(values)) model.set(key, value);
  model.save_changes();
}

/** The bytes of a trait as a typed array, whatever the host delivers (DataView, ArrayBuffer, Uint8Array). */
export function typed(Type, bytes) {
  if (!bytes) return new Type(0);
  const buffer = bytes.buffer ?? bytes;
  const [start, length] = [bytes.byteOffset ?? 0, bytes.byteLength];
  return start % Type.BYTES_PER_ELEMENT
    ? new Type(buffer.slice(start, start + length))
    : new Type(buffer, start, length / Type.BYTES_PER_ELEMENT);
}

/** Give a canvas a size in CSS pixels, sharp on every screen; returns its context, in CSS pixels. */
export function resize(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, hgt] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== hgt) Object.assign(canvas, { width: w, height: hgt });
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Whether an element has the focus, also in a shadow tree. */
export const hasFocus = (element) => element.contains(element.getRootNode().activeElement);

/** Count up `data-seq` of an element: it has been drawn once more. */
export const stamp = (element) => (element.dataset.seq = String(Number(element.dataset.seq ?? 0) + 1));

/** Run `draw` at most once a frame, however often it is asked for, and stamp the element after each. */
export function drawer(element, draw) {
  let frame = 0;
  const ask = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw();
      stamp(element);
    });
  };
  ask.stop = () => cancelAnimationFrame(frame);
  return ask;
}

/** Run an action once for any number of calls in the same turn: traits that arrive together. */
export function once(action) {
  let asked = false;
  return () => {
    if (!asked) queueMicrotask(() => ((asked = false), action()));
    asked = true;
  };
}

/** Subscribe to traits; returns a function that ends it. */
export function listen(model, traits, action) {
  traits.forEach((trait) => model.on(`change:${trait}`, action));
  return () => traits.forEach((trait) => model.off(`change:${trait}`, action));
}

/** Call back when the element's size or the page's theme changes, and when it comes into view; returns what ends it. */
export function watch(element, action) {
  let before = "";
  const size = new ResizeObserver(() => {
    const now = `${element.clientWidth} ${element.clientHeight}`;
    if (now !== before) action();
    before = now;
  });
  size.observe(element);
  const theme = new MutationObserver(() => {
    action();
    requestAnimationFrame(() => requestAnimationFrame(action)); // JupyterLab may hide the page until the next frame
  });
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
  const view = new IntersectionObserver((entries) => entries.at(-1).isIntersecting && action());
  view.observe(element);
  return () => [size, theme, view].forEach((observer) => observer.disconnect());
}

/** Two strokes, so that a line shows on any picture. */
export function outline(context, x, y, width, height, color, thickness = 2) {
  context.lineWidth = thickness + 2;
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  context.strokeRect(x, y, width, height);
  context.lineWidth = thickness;
  context.strokeStyle = color;
  context.strokeRect(x, y, width, height);
}

/** The font of captions on a canvas: that of the page's small text, 13 px or what the reader has chosen. */
export function captionFont(canvas) {
  const { fontSize, fontFamily } = getComputedStyle(canvas);
  return `${fontSize || "13px"} ${fontFamily || "sans-serif"}`;
}

/** A text, or as much of its beginning as fits into a width. */
export function elided(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end--;
  return `${text.slice(0, end)}…`;
}

/** The model's row and column of a cursor, or null. */
export const position = (cursor) => (cursor?.length === 2 ? cursor : null);

/**
 * A color bar with lo, hi and, where it lies between them, zero; or with words in their place.
 * It is wide enough for the words, which lie below it from end to end; where there is no room they are their first words.
 */
export function drawLegend(canvas, words, lo, hi, color, names) {
  const [bar, font, edge] = [12, captionFont(canvas), 2];
  const line = parseFloat(font) + 4;
  const values = lo < 0 && hi > 0 ? [lo, 0, hi] : [lo, hi];
  const measured = Object.assign(canvas.getContext("2d"), { font });
  const sizesOf = (some) => some.map((text) => Math.ceil(measured.measureText(text).width));
  const needed = ([first, ...others]) => 2 * Math.max(first, others.at(-1)) + (others.length === 2 ? others[0] + 16 : 16);
  const room = (canvas.closest(".cw")?.clientWidth || Infinity) - 2 * edge;
  let texts = names ? (values.length === 3 ? names : [names[0], names[2]]) : values.map((value) => format(value));
  if (needed(sizesOf(texts)) > room) texts = texts.map((text) => text.split(" ")[0]); // "lowest of each map"
  const sizes = sizesOf(texts);
  const width = Math.max(80, Math.min(Math.max(220, needed(sizes)), room));
  const step = width / 256;
  const context = resize(canvas, width + 2 * edge, bar + 5 + line);
  const at = (value) => edge + (hi > lo ? (Math.max(lo, Math.min(hi, value)) - lo) / (hi - lo) : 0.5) * width;
  words.forEach((word, i) => {
    context.fillStyle = cssColor(word);
    context.fillRect(edge + i * step, 0, step + 1, bar);
  });
  Object.assign(context, { fillStyle: color, font, textAlign: "left" });
  const ends = [edge, edge + width - sizes.at(-1)];
  values.forEach((value, i) => {
    context.fillRect([edge, at(value) - 0.5, edge + width - 1][value === lo ? 0 : value === hi ? 2 : 1], bar, 1, 4);
    const between = Math.max(ends[0] + sizes[0] + 8, Math.min(ends[1] - sizes[i] - 8, at(value) - sizes[i] / 2));
    context.fillText(texts[i], i === 0 ? ends[0] : i === values.length - 1 ? ends[1] : between, bar + line);
  });
  canvas.setAttribute("aria-label", `colors from ${texts[0]} to ${texts.at(-1)}`);
}

/** A canvas with a picture of (height, width, 3) bytes; gray if asked. */
export function pictureOf(bytes, shape, gray = false) {
  const [height, width] = shape;
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  const pixels = typed(Uint8Array, bytes);
  if (pixels.length < 3 * height * width || !pixels.length) return canvas;
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    let [r, g, b] = [pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]];
    if (gray) r = g = b = 0.299 * r + 0.587 * g + 0.114 * b;
    image.data.set([r, g, b, 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The (height, width, 3) bytes of a canvas. */
export function pixelBytes(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const bytes = new Uint8Array((data.length / 4) * 3);
  for (let i = 0, j = 0; i < data.length; i += 4, j += 3) [bytes[j], bytes[j + 1], bytes[j + 2]] = [data[i], data[i + 1], data[i + 2]];
  return new DataView(bytes.buffer);
}

/** CSS pixels for a picture's pixel in an element: whole ones where pixels are to be seen. */
export function zoomOf(element, most, width) {
  const scale = Math.max(80, Math.min(element.clientWidth || most, most)) / width;
  return scale > 2 ? Math.floor(scale) : scale;
}

export const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** "rows 3–11, column 40" of a box [top, left, height, width], as far as it is in a picture [height, width]. */
export const describeBox = (box, shape) => ["row", "column"].map((noun, k) => {
  const [first, last] = [Math.max(0, Math.floor(box[k])), Math.min(shape[k], Math.ceil(box[k] + box[2 + k])) - 1];
  return first === last ? `${noun} ${first}` : `${noun}s ${first}–${last}`;
}).join(", ");
