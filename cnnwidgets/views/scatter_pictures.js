// @ts-check
// Pictures as points: which of them are shown, so that none covers another, and where they lie in their atlas.

import { boundsOf } from "./scatter_space.js";

const NEVER = 32767;

/**
 * From which level on the picture of each point is shown: at level k, pictures are 2^(-k/4) units apart, along x or along y.
 *
 * Points are asked in a fixed order, level after level. So what is shown depends on the zoom alone and not on what is in
 * view, and a picture that is shown stays when one zooms in.
 */
export class Thinning {
  constructor(points, shown, order) {
    const [left, bottom, right, top] = boundsOf(points, shown);
    this.levels = new Int16Array(shown.length).fill(NEVER);
    this.points = points;
    this.waiting = order.filter((i) => shown[i]);
    this.taken = [];
    this.next = Math.floor(-4 * Math.log2(Math.max(right - left, top - bottom) || 1));
  }
  /** The level at which pictures are at least so far apart. */
  level(apart) {
    const level = Math.floor(-4 * Math.log2(apart));
    for (; this.next <= level; this.next++) this.thin(this.next);
    return level;
  }
  thin(level) {
    const [apart, cells, { points }] = [2 ** (-level / 4), new Map(), this];
    const key = (x, y) => x * 67108864 + y;
    const cell = (i) => [Math.floor(points[2 * i] / apart), Math.floor(points[2 * i + 1] / apart)];
    const free = (i, x, y) => {
      if (cells.has(key(x, y))) return false;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const j = cells.get(key(x + dx, y + dy));
          if (j === undefined) continue;
          const [across, along] = [points[2 * i] - points[2 * j], points[2 * i + 1] - points[2 * j + 1]];
          if (Math.max(Math.abs(across), Math.abs(along)) < apart) return false;
        }
      }
      return true;
    };
    for (const i of this.taken) cells.set(key(...cell(i)), i);
    this.waiting = this.waiting.filter((i) => {
      const [x, y] = cell(i);
      if (!free(i, x, y)) return true;
      cells.set(key(x, y), i);
      this.levels[i] = level;
      this.taken.push(i);
      return false;
    });
  }
}

/** The pictures of all points, in one; `ready` is called once they are decoded. */
export class Atlas {
  constructor(model, ready) {
    const bytes = model.get("atlas");
    const [tall, wide, across] = model.get("tile");
    this.tall = tall;
    this.wide = wide;
    this.across = across;
    this.sheet = null;
    if (!bytes?.byteLength) return;
    createImageBitmap(new Blob([bytes])).then(
      (sheet) => ((this.sheet = sheet), ready()),
      (error) => console.error("cnnwidgets: the atlas is no picture.", error),
    );
  }
  /** Width and height of a picture whose longer side is given. */
  size(side) {
    const zoom = side / Math.max(this.wide, this.tall);
    return [this.wide * zoom, this.tall * zoom];
  }
  draw(context, i, x, y, wide, tall) {
    context.imageSmoothingEnabled = wide < this.wide;
    const [left, top] = [(i % this.across) * this.wide, Math.floor(i / this.across) * this.tall];
    context.drawImage(this.sheet, left, top, this.wide, this.tall, x, y, wide, tall);
  }
  /** A point's picture around (x, y), with a border in a color. */
  frame(context, i, x, y, side, color) {
    const [wide, tall] = this.size(side);
    context.fillStyle = color;
    context.fillRect(x - wide / 2 - 2, y - tall / 2 - 2, wide + 4, tall + 4);
    this.draw(context, i, x - wide / 2, y - tall / 2, wide, tall);
  }
}
