// @ts-check
// Where the names of classes stand on a map.

import assert from "node:assert/strict";
import { test } from "node:test";

import { middles, placeNames } from "../../cnnwidgets/views/scatter_labels.js";

const SIZE = [400, 300];
const context = { font: "", measureText: (text) => ({ width: 8 * text.length }) };

/** Whether two placed names, each with its margin, are apart. */
function apart(one, other) {
  const half = ({ text }) => 4 * text.length + 4;
  const tall = ({ size }) => size / 2 + 2;
  return Math.abs(one.x - other.x) >= half(one) + half(other) || Math.abs(one.y - other.y) >= tall(one) + tall(other);
}

test("a name stands at the medians of its points that are shown", () => {
  const points = Float32Array.from([0, 0, 1, 5, 100, 7, 3, 3, 9, 9]);
  const found = middles(points, [0, 0, 0, 1, 2], [1, 1, 1, 1, 0], 3);
  assert.deepEqual(found, [[1, 5], [3, 3], null]);
});

test("no name lies over another, and large classes come first", () => {
  const names = Array.from({ length: 40 }, (_, k) => `class ${k}`);
  const counts = names.map((_, k) => 5 + k);
  const placed = placeNames(context, names, counts, (k) => [50 + 30 * (k % 10), 100 + (k % 3)], SIZE);
  placed.forEach((one, k) => placed.slice(k + 1).forEach((other) => assert.ok(apart(one, other), `${one.text} ${other.text}`)));
  assert.equal(placed[0].index, 39);
  assert.ok(placed.length < 40 && placed.length > 3);
});

test("names stay on the map, and those of classes out of sight are left out", () => {
  const placed = placeNames(context, ["left", "gone", "empty"], [9, 9, 0], (k) => [[1, 1], [-50, 20], [200, 200]][k], SIZE);
  assert.deepEqual(placed.map(({ index }) => index), [0]);
  assert.ok(placed[0].x - 20 > 0 && placed[0].y > 7);
});

test("a name does not cover the few points of its class", () => {
  const [few] = placeNames(context, ["a"], [1], () => [200, 150], SIZE);
  const [many] = placeNames(context, ["a"], [50], () => [200, 150], SIZE);
  assert.equal(many.y, 150);
  assert.ok(few.y < 150 - 7);
});

test("a long name is cut", () => {
  const [one] = placeNames(context, ["x".repeat(200)], [9], () => [200, 150], SIZE);
  assert.ok(one.text.endsWith("…") && 8 * one.text.length <= 130);
});
