// @ts-check
// Where points lie: the camera, an index of places, a lasso. Knows no canvas and no model.

const [AROUND, SHARE] = [28, 0.08]; // CSS pixels around the points when all are in view, and the share of the shorter side at most

/** A fixed order without a pattern, so that no class lies on top of another because it comes later. */
export function shuffled(count) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  let seed = 1;
  for (let i = count - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const other = seed % (i + 1);
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

/** [left, bottom, right, top] of the points that are shown; a square around 0 if there are none. */
export function boundsOf(points, shown) {
  let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < shown.length; i++) {
    if (!shown[i]) continue;
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < bottom) bottom = y;
    if (y > top) top = y;
  }
  return left <= right ? [left, bottom, right, top] : [-1, -1, 1, 1];
}

/** What is in view: its middle in the points' units, y up, and CSS pixels a unit. Sizes are [width, height], in them. */
export class Camera {
  constructor(x, y, scale) {
    this.x = x;
    this.y = y;
    this.scale = scale;
  }
  /** The camera that has bounds in view. @param {number[]} bounds @param {number[]} size */
  static of(bounds, size) {
    const [left, bottom, right, top] = bounds;
    const pad = Math.min(AROUND, SHARE * Math.min(...size));
    const [wide, tall] = size.map((length) => Math.max(length - 2 * pad, length / 2));
    const scale = Math.min(wide / (right - left), tall / (top - bottom));
    return new Camera((left + right) / 2, (bottom + top) / 2, Number.isFinite(scale) ? scale : 1);
  }
  /** @param {number[]} size @returns {[number, number]} */
  onScreen(x, y, size) {
    const [width, height] = size;
    return [width / 2 + (x - this.x) * this.scale, height / 2 - (y - this.y) * this.scale];
  }
  /** @param {number[]} size @returns {[number, number]} */
  inPlane(x, y, size) {
    const [width, height] = size;
    return [this.x + (x - width / 2) / this.scale, this.y - (y - height / 2) / this.scale];
  }
  moved(dx, dy) { return new Camera(this.x - dx / this.scale, this.y + dy / this.scale, this.scale); }
  /** With another scale, but the same point under (x, y). */
  zoomed(scale, x, y, size) {
    const [[a, b], [width, height]] = [this.inPlane(x, y, size), size];
    return new Camera(a - (x - width / 2) / scale, b + (y - height / 2) / scale, scale);
  }
  towards(other, part) {
    const [x, y, scale] = ["x", "y", "scale"].map((key) => this[key] + (other[key] - this[key]) * part);
    return new Camera(x, y, scale);
  }
}

/** A grid of cells over the shown points, a few points a cell. */
export class PointIndex {
  constructor(points, shown) {
    const [left, bottom, right, top] = boundsOf(points, shown);
    const count = shown.reduce((sum, one) => sum + one, 0);
    const [width, height] = [right - left, top - bottom];
    this.cell = Math.max(Math.sqrt((2 * width * height) / (count || 1)), Math.max(width, height) / 512) || 1;
    this.columns = Math.floor(width / this.cell) + 1;
    this.rows = Math.floor(height / this.cell) + 1;
    this.points = points;
    this.left = left;
    this.bottom = bottom;
    this.starts = new Int32Array(this.columns * this.rows + 1);
    this.items = new Int32Array(count);
    const at = (i) => this.row(points[2 * i + 1]) * this.columns + this.column(points[2 * i]);
    for (let i = 0; i < shown.length; i++) if (shown[i]) this.starts[at(i) + 1]++;
    for (let c = 1; c < this.starts.length; c++) this.starts[c] += this.starts[c - 1];
    const next = this.starts.slice();
    for (let i = 0; i < shown.length; i++) if (shown[i]) this.items[next[at(i)]++] = i;
  }
  column(x) { return Math.max(0, Math.min(this.columns - 1, Math.floor((x - this.left) / this.cell))); }
  row(y) { return Math.max(0, Math.min(this.rows - 1, Math.floor((y - this.bottom) / this.cell))); }

  /** Number of the point next to a place, at most `far` away and accepted; -1 if there is none. @param {(i: number) => boolean} accept */
  nearest(x, y, far, accept = () => true) {
    let [best, least] = [-1, far * far];
    const [first, last] = [this.column(x - far), this.column(x + far)];
    for (let row = this.row(y - far); row <= this.row(y + far); row++) {
      const end = this.starts[row * this.columns + last + 1];
      for (let k = this.starts[row * this.columns + first]; k < end; k++) {
        const i = this.items[k];
        const [dx, dy] = [this.points[2 * i] - x, this.points[2 * i + 1] - y];
        const distance = dx * dx + dy * dy;
        if (distance <= least && accept(i)) [best, least] = [i, distance];
      }
    }
    return best;
  }
}

/** Numbers of the shown points inside a closed line [[x, y], ...], ascending. */
export function inside(line, points, shown) {
  const xs = line.map((corner) => corner[0]);
  const ys = line.map((corner) => corner[1]);
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const found = [];
  for (let i = 0; i < shown.length; i++) {
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    if (!shown[i] || x < left || x > right || y < bottom || y > top) continue;
    let within = false;
    for (let a = 0, b = xs.length - 1; a < xs.length; b = a++) {
      if (ys[a] > y !== ys[b] > y && x < ((xs[b] - xs[a]) * (y - ys[a])) / (ys[b] - ys[a]) + xs[a]) within = !within;
    }
    if (within) found.push(i);
  }
  return Int32Array.from(found);
}

/** Number of the shown point next to a place in a direction [down, right]: within 45 degrees of it, else on that side. */
export function ahead(from, points, shown, way, but) {
  const [[x, y], [down, right]] = [from, way];
  let [best, least, beside, aside] = [-1, Infinity, -1, Infinity];
  for (let i = 0; i < shown.length; i++) {
    if (!shown[i] || i === but) continue;
    const [dx, dy] = [points[2 * i] - x, points[2 * i + 1] - y];
    const [along, across] = [dx * right - dy * down, Math.abs(dx * down + dy * right)];
    if (along <= 0) continue;
    const distance = along + across;
    if (across <= along && distance < least) [best, least] = [i, distance];
    else if (distance < aside) [beside, aside] = [i, distance];
  }
  return best < 0 ? beside : best;
}
