// @ts-check
// Tables of colors, and numbers in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { format, percent } from "../../cnnwidgets/views/numbers.js";
import { colorTable, cssColor, inkOn, rgba, typed } from "../../cnnwidgets/views/shared.js";

/** @returns {number[]} */
const parts = (word) => [word & 255, (word >> 8) & 255, (word >> 16) & 255];
/** @param {number[]} color */
const lightness = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

test("the ink on every color of every table has a contrast of at least 4.5", () => {
  const light = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  for (const name of ["viridis", "gray", "diverging"]) {
    for (const word of colorTable(name)) {
      const ground = lightness(parts(word).map(light)) + 0.05;
      const contrast = inkOn(word) === "white" ? 1.05 / ground : ground / 0.05;
      assert.ok(contrast >= 4.5, `${name} ${cssColor(word)}: ${contrast}`);
    }
  }
});

test("tables begin and end with their anchors", () => {
  assert.equal(cssColor(colorTable("viridis")[0]), "rgb(68 1 84)");
  assert.equal(cssColor(colorTable("viridis")[255]), "rgb(253 231 37)");
  assert.equal(colorTable("gray")[255], rgba(255, 255, 255));
});

test("viridis and gray ascend in lightness", () => {
  for (const name of ["viridis", "gray"]) {
    const light = [...colorTable(name)].map((word) => lightness(parts(word)));
    assert.ok(light.every((value, i) => i === 0 || value >= light[i - 1] - 0.01), name);
  }
});

test("diverging colors are lightest and neutral in the middle", () => {
  const table = [...colorTable("diverging")].map(parts);
  const [r, g, b] = table[127];
  assert.ok(Math.max(r, g, b) - Math.min(r, g, b) < 8);
  assert.ok(table.every((color) => lightness(color) <= lightness(table[127]) + 1));
});

test("bytes become numbers, wherever they begin", () => {
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setFloat32(5, 1.5, true);
  assert.equal(typed(Float32Array, new DataView(bytes.buffer, 5, 4))[0], 1.5);
  assert.equal(typed(Float32Array, null).length, 0);
});

test("numbers have three digits, and certainty is only itself", () => {
  assert.deepEqual([-5.333, 1.27e-4, 1.5e-7, 0].map((value) => format(value)), ["−5.33", "0.000127", "1.5×10⁻⁷", "0"]);
  assert.deepEqual([0.2537, 1e-9, 0.99999, 1].map(percent), ["25.4%", "< 0.01%", "> 99.9%", "100%"]);
});
