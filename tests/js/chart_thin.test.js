// @ts-check
// Which points of a long curve are drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ascends, bisect, thin } from "../../cnnwidgets/views/chart_thin.js";
import { numbers } from "./chance.js";

const x = Float64Array.from({ length: 50_000 }, (_, i) => i);

test("a value's place is where a linear search finds it", () => {
  const next = numbers(1);
  const sorted = Array.from({ length: 50 }, () => Math.floor(20 * next())).sort((a, b) => a - b);
  for (let value = -1; value < 22; value++) {
    const expected = sorted.findIndex((one) => one >= value);
    assert.equal(bisect(sorted, value), expected < 0 ? sorted.length : expected);
  }
});

test("numbers ascend if none falls and all are numbers", () => {
  assert.equal(ascends([1, 1, 2]), true);
  assert.equal(ascends([1, 3, 2]), false);
  assert.equal(ascends([1, NaN, 2]), false);
  assert.equal(ascends([NaN]), false);
});

test("no spike is lost, and few points are kept", () => {
  const next = numbers(2);
  const y = Float64Array.from(x, () => next());
  for (const at of [777, 12_345, 49_000]) y[at] = 50;
  const kept = new Set(thin(x, y, [0, 49_999], 600, false, false));
  for (const at of [0, 777, 12_345, 49_000, 49_999]) assert.ok(kept.has(at), `${at} is lost`);
  assert.ok(kept.size <= 3 * 602 + 2, `${kept.size} points are kept`);
});

test("each column keeps its lowest and its highest", () => {
  const y = Float64Array.from(x, (at) => Math.sin(at / 300));
  const kept = new Set(thin(x, y, [0, 49_999], 100, false, false));
  for (let column = 0; column < 100; column++) {
    const own = [...x.keys()].filter((i) => i > 499.99 * column && i <= 499.99 * (column + 1));
    const top = Math.max(...own.map((i) => y[i]));
    assert.ok(own.some((i) => kept.has(i) && y[i] === top));
  }
});

test("a gap stays a gap", () => {
  const y = Float64Array.from(x, (at) => (at === 25_000 ? NaN : 1));
  assert.ok(thin(x, y, [0, 49_999], 100, false, false).includes(25_000));
  const log = Float64Array.from(x, (at) => (at === 25_000 ? -1 : 1));
  assert.ok(thin(x, log, [0, 49_999], 100, false, true).includes(25_000));
});
