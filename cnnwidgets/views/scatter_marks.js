// @ts-check
// Many points as pixels: each mark is a stamp of smooth edges, written into an array of words without a drawing call.

import { colorTable, rgba, typed } from "./shared.js";

export const NONE = 65535; // stands for no class, or no value
const HUES = 10; // so many classes share a shape
const STEPS = 4; // a mark lies at a quarter of a pixel

// Whether (x, y) is inside a mark of radius 1, all of about the same area.
const SHAPES = [
  (x, y) => x * x + y * y < 1,
  (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.88,
  (x, y) => y < 0.75 && y > 1.9 * Math.abs(x) - 1.25,
  (x, y) => Math.abs(x) + Math.abs(y) < 1.25,
  (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.42 && Math.max(Math.abs(x), Math.abs(y)) < 1.15,
  (x, y) => y > -0.75 && -y > 1.9 * Math.abs(x) - 1.25,
  (x, y) => Math.min(Math.abs(x + y), Math.abs(x - y)) < 0.58 && Math.max(Math.abs(x), Math.abs(y)) < 0.95,
];

/** The shape of a class's marks, as a number. */
export const shapeOf = (index) => Math.floor(index / HUES) % SHAPES.length;

/** Any CSS color as a word, as in colorTable. */
export function wordOf(color) {
  const pixel = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = pixel.getContext("2d", { willReadFrequently: true });
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  return rgba(...context.getImageData(0, 0, 1, 1).data);
}

/** A word between two, `share` of 256 parts of the second. */
function mixed(from, to, share) {
  const [pair, green] = [from & 0xff00ff, from & 0xff00];
  const both = (pair + (Math.imul((to & 0xff00ff) - pair, share) >> 8)) & 0xff00ff;
  return (0xff000000 | both | ((green + (Math.imul((to & 0xff00) - green, share) >> 8)) & 0xff00)) >>> 0;
}

/** What the points look like: a slot each, and for each slot its shape and words; `counts` has the points of each slot. */
export function lookOf(model, count, paper, ink) {
  const [group, value] = [typed(Uint16Array, model.get("group")), typed(Uint16Array, model.get("value"))];
  const words = model.get("palette").map(wordOf);
  const gray = mixed(paper, ink, 110);
  const table = value.length ? colorTable("viridis") : model.get("names").map((_, k) => words[k % words.length]);
  const last = table.length; // the slot of points that have no class, or no value
  const slots = Uint16Array.from({ length: count }, (_, i) => {
    if (value.length) return value[i] === NONE ? last : value[i] >> 8;
    return Math.min(group[i], last);
  });
  const fills = Uint32Array.from([...table, gray]);
  const counts = new Int32Array(fills.length);
  for (const slot of slots) counts[slot]++;
  return {
    paper, slots, fills, counts,
    shapes: Uint8Array.from(fills, (_, slot) => (value.length || slot === last ? 0 : shapeOf(slot))),
    rims: fills.map((word) => mixed(word, ink, 110)),
    faded: fills.map((word) => mixed(word, paper, 180)),
  };
}

/** Words of a picture, with a margin in which the marks at its edges end; and the stamps that fit it. */
export class Frame {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.margin = 64;
    this.stride = width + 128;
    this.made = new Map();
    this.image = new ImageData(this.stride, height + 128);
    this.words = new Uint32Array(this.image.data.buffer);
  }
  stamps(radius, rim) {
    if (this.made.size > 60) this.made.clear();
    const key = `${radius} ${rim}`;
    if (!this.made.has(key)) this.made.set(key, new Stamps(radius, rim, this.stride));
    return this.made.get(key);
  }
  show(context) { context.putImageData(this.image, -this.margin, -this.margin); }
}

/** The stamps of all shapes at one radius in screen pixels: a mark's pixels, how much it covers of them, what is rim. */
class Stamps {
  constructor(radius, rim, stride) {
    this.radius = radius;
    this.rim = rim;
    this.stride = stride;
    this.made = [];
    this.reach = Math.min(31, Math.ceil(1.3 * radius) + 1);
  }
  /** The stamp of a shape whose middle is a few quarters of a pixel right of and below a pixel's corner. */
  at(shape, right, down) {
    const number = (shape * STEPS + down) * STEPS + right;
    return (this.made[number] ??= this.make(SHAPES[shape], (right + 0.5) / STEPS, (down + 0.5) / STEPS));
  }
  make(shape, right, down) {
    const [offsets, covers, rims] = [[], [], []];
    for (let row = -this.reach; row <= this.reach; row++) {
      for (let column = -this.reach; column <= this.reach; column++) {
        let [whole, core] = [0, 0];
        for (let s = 0; s < 16; s++) {
          const [x, y] = [column + (s % 4) / 4 + 0.125 - right, row + Math.floor(s / 4) / 4 + 0.125 - down];
          if (shape(x / this.radius, y / this.radius)) whole++;
          if (shape(x / (this.radius - this.rim), y / (this.radius - this.rim))) core++;
        }
        if (!whole) continue;
        offsets.push(row * this.stride + column);
        covers.push(whole * 16);
        rims.push(Math.round((256 * (whole - core)) / whole));
      }
    }
    return { offsets: Int32Array.from(offsets), covers: Uint16Array.from(covers), rims: Uint16Array.from(rims) };
  }
}

/**
 * Stamp the points of one kind into a frame, in their order.
 *
 * `look` has each point's `slots`, and for each slot its shape; `fills` and `rims` the words of each slot.
 */
export function stampPoints(frame, stamps, { points, order, kinds, camera, ratio }, kind, look, fills, rims) {
  const { words, stride, margin, width, height } = frame;
  const [zoom, reach] = [camera.scale * ratio, stamps.reach];
  const [left, top] = [width / 2 - camera.x * zoom, height / 2 + camera.y * zoom];
  for (let k = 0; k < order.length; k++) {
    const i = order[k];
    if (kinds[i] !== kind) continue;
    const [x, y] = [left + points[2 * i] * zoom, top - points[2 * i + 1] * zoom];
    if (!(x > -reach && x < width + reach && y > -reach && y < height + reach)) continue; // nor is NaN anywhere
    const [column, row] = [Math.floor(x), Math.floor(y)];
    const slot = look.slots[i];
    const stamp = stamps.at(look.shapes[slot], ((x - column) * STEPS) | 0, ((y - row) * STEPS) | 0);
    const [fill, rim, start] = [fills[slot], rims[slot], (row + margin) * stride + column + margin];
    const { offsets, covers } = stamp;
    for (let p = 0; p < offsets.length; p++) {
      const at = start + offsets[p];
      const part = stamp.rims[p];
      const word = part ? (part === 256 ? rim : mixed(fill, rim, part)) : fill;
      words[at] = covers[p] === 256 ? word : mixed(words[at], word, covers[p]);
    }
  }
}
