// @ts-check
// Each position of an overlay has the color of its largest layer, as opaque as that is full.

import assert from "node:assert/strict";
import { test } from "node:test";
import { overlaid, partsOf } from "../../cnnwidgets/views/grid_overlay.js";

const RED = [255, 0, 0], BLUE = [0, 0, 255];
// two layers of three positions: amounts 0, 1, 2 and 4, 2, 0
const values = Uint8Array.from([0, 127.5, 255, 255, 127.5, 0]);
const look = { tops: [2, 4], full: [2, 4], colors: [RED, BLUE], lit: -1 };

test("the layer with the largest amount gives the color, its share of what is full how opaque it is", () => {
  assert.deepEqual([...overlaid(values, look)], [...BLUE, 255, ...BLUE, 127, ...RED, 255]);
});

test("a layer that is lit is shown wherever it is, and nothing else", () => {
  assert.deepEqual([...overlaid(values, { ...look, lit: 0 })], [...RED, 0, ...RED, 127, ...RED, 255]);
});

test("more than full is opaque, and what is nowhere cannot be seen", () => {
  assert.deepEqual([...overlaid(values, { ...look, full: [1, 1] })].filter((_, k) => k % 4 === 3), [255, 255, 255]);
  const nothing = overlaid(new Uint8Array(6), { ...look, tops: [0, 0], full: [0, 0] });
  assert.deepEqual([...nothing].filter((_, k) => k % 4 === 3), [0, 0, 0]);
});

test("a color is read from its six digits", () => {
  assert.deepEqual(partsOf("#d48205"), [0xd4, 0x82, 0x05]);
});
