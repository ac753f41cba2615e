// @ts-check
// Colors over a grid's maps: at each position that of the layer with the largest amount, opaque where that is full.

import { format } from "./numbers.js";
import { typed } from "./shared.js";

/**
 * The colors of one map's positions, (cells, 4): red, green, blue and how opaque.
 * @param {Uint8Array} values (layers, cells), of each layer 255 for its top
 * @param {{ tops: number[], full: number[], colors: number[][], lit: number }} look `full` is the amount of each layer from
 *   which on it is opaque; `lit` is the one layer that is shown, -1 for all
 */
export function overlaid(values, { tops, full, colors, lit }) {
  const cells = values.length / tops.length;
  const found = new Uint8ClampedArray(4 * cells);
  const amount = (layer, cell) => values[layer * cells + cell] * tops[layer];
  for (let cell = 0; cell < cells; cell++) {
    let layer = Math.max(lit, 0);
    if (lit < 0) for (let other = 1; other < tops.length; other++) if (amount(other, cell) > amount(layer, cell)) layer = other;
    found.set([...colors[layer], full[layer] > 0 ? Math.round(amount(layer, cell) / full[layer]) : 0], 4 * cell);
  }
  return found;
}

/** @param {string} color #rrggbb */
export const partsOf = (color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));

/** What lies over the maps of a grid: a position a pixel, on a canvas of its own. */
export function overlayOf(model) {
  const glass = document.createElement("canvas");
  let values, layers, rows, columns, across;

  const of = (map) => values.subarray(map * layers * rows * columns, (map + 1) * layers * rows * columns);

  return {
    get there() {
      return !!model.get("overlay").values?.byteLength;
    },
    /** Whether something can be seen of it. */
    get shown() {
      return this.there && model.get("opacity") > 0;
    },
    tint() {
      if (!this.there) return;
      const { tops, full, colors, ...given } = model.get("overlay");
      [values, [layers, rows, columns]] = [typed(Uint8Array, given.values), given.shape];
      const count = values.length / (layers * rows * columns);
      across = Math.ceil(Math.sqrt(count));
      [glass.width, glass.height] = [across * columns, Math.ceil(count / across) * rows];
      const context = glass.getContext("2d");
      const look = { tops, full, colors: colors.map(partsOf), lit: model.get("lit") < layers ? model.get("lit") : -1 };
      for (let map = 0; map < count; map++) {
        const image = new ImageData(overlaid(of(map), look), columns, rows);
        context.putImageData(image, (map % across) * columns, Math.floor(map / across) * rows);
      }
    },
    /**
     * Draw what lies over a map on its tile, [x, y, width, height], that stands for `size` = [height, width] pixels.
     * @param {CanvasRenderingContext2D} context @param {number} map @param {number[]} tile @param {number[]} size
     */
    draw(context, map, [x, y, wide, tall], size) {
      if (!this.shown) return;
      const [down, right] = [tall / size[0], wide / size[1]];
      const [top, left, height, width] = model.get("overlay").box;
      const [fromX, fromY] = [(map % across) * columns, Math.floor(map / across) * rows];
      context.save();
      context.beginPath();
      context.rect(x, y, wide, tall);
      context.clip();
      Object.assign(context, { globalAlpha: model.get("opacity"), imageSmoothingEnabled: false });
      context.drawImage(glass, fromX, fromY, columns, rows, x + left * right, y + top * down, width * right, height * down);
      context.restore();
    },
    /** The amounts at a pixel of a map, the largest first, in words. */
    told(map, row, column) {
      const { box: [top, left, height, width], tops, noun } = model.get("overlay");
      const [down, right] = [Math.floor(((row + 0.5 - top) / height) * rows), Math.floor(((column + 0.5 - left) / width) * columns)];
      if (down < 0 || down >= rows || right < 0 || right >= columns) return "here: no position of this layer";
      const amounts = tops.map((most, layer) => (of(map)[(layer * rows + down) * columns + right] / 255) * most);
      const order = [...amounts.keys()].filter((layer) => amounts[layer] > 0).sort((a, b) => amounts[b] - amounts[a]);
      const words = order.slice(0, 3).map((layer) => `${noun} ${layer} ≈ ${format(amounts[layer])}`);
      return `here: ${words.join(", ") || `no ${noun}`}`;
    },
  };
}
