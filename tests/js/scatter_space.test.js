// @ts-check
// Where points lie, against the plain ways to find it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Camera, PointIndex, ahead, boundsOf, inside, shuffled } from "../../cnnwidgets/views/scatter_space.js";
import { numbers } from "./chance.js";

const SIZE = /** @type {[number, number]} */ ([640, 420]);

/** Points in a square from -5 to 5, of which every seventh is hidden. */
function scattered(seed, count = 200) {
  const next = numbers(seed);
  const points = Float32Array.from({ length: 2 * count }, () => 10 * next() - 5);
  return { next, points, shown: Uint8Array.from({ length: count }, (_, i) => Number(i % 7 !== 0)) };
}

const near = (got, expected, tolerance = 1e-9) => assert.ok(Math.abs(got - expected) <= tolerance, `${got} is not ${expected}`);

test("an order is a permutation, and always the same", () => {
  assert.deepEqual([...shuffled(100)].sort((a, b) => a - b), [...Array(100).keys()]);
  assert.deepEqual(shuffled(100), shuffled(100));
});

test("bounds are those of the points that are shown", () => {
  assert.deepEqual(boundsOf([0, 1, 9, 9, -2, 3], [1, 0, 1]), [-2, 1, 0, 3]);
  assert.deepEqual(boundsOf([], []), [-1, -1, 1, 1]);
});

test("a place on screen comes back from the plane", () => {
  const next = numbers(1);
  for (let round = 0; round < 100; round++) {
    const camera = new Camera(next() - 0.5, next() - 0.5, 0.1 + 200 * next());
    const [x, y] = [640 * next(), 420 * next()];
    const [a, b] = camera.inPlane(x, y, SIZE);
    const [left, top] = camera.onScreen(a, b, SIZE);
    near(left, x, 1e-6);
    near(top, y, 1e-6);
  }
});

test("a zoom keeps the point under the pointer", () => {
  const camera = new Camera(1, 2, 30);
  const before = camera.inPlane(100, 300, SIZE);
  const after = camera.zoomed(75, 100, 300, SIZE).inPlane(100, 300, SIZE);
  near(after[0], before[0]);
  near(after[1], before[1]);
});

test("a camera of bounds has all of them in view", () => {
  const { points, shown } = scattered(2);
  const camera = Camera.of(boundsOf(points, shown), SIZE);
  for (let i = 0; i < shown.length; i++) {
    if (!shown[i]) continue;
    const [x, y] = camera.onScreen(points[2 * i], points[2 * i + 1], SIZE);
    assert.ok(x >= 0 && x <= SIZE[0] && y >= 0 && y <= SIZE[1]);
  }
});

test("the nearest point is that of a search through all", () => {
  const { next, points, shown } = scattered(3);
  const index = new PointIndex(points, shown);
  for (let round = 0; round < 200; round++) {
    const [x, y, far] = [14 * next() - 7, 14 * next() - 7, 3 * next()];
    const apart = (i) => (points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2;
    const within = [...shown.keys()].filter((i) => shown[i] && i % 2 && apart(i) <= far * far);
    const expected = within.reduce((best, i) => (best < 0 || apart(i) < apart(best) ? i : best), -1);
    const found = index.nearest(x, y, far, (i) => i % 2 === 1);
    assert.equal(found < 0, expected < 0);
    if (found >= 0) near(apart(found), apart(expected));
  }
});

test("a lasso around a square has what lies in the square", () => {
  const { points, shown } = scattered(4);
  const square = [[-2, -2], [3, -2], [3, 1], [-2, 1]];
  const within = [...shown.keys()].filter((i) => {
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    return shown[i] && x > -2 && x < 3 && y > -2 && y < 1;
  });
  assert.deepEqual([...inside(square, points, shown)], within);
});

test("an arrow key goes to the next point on its side", () => {
  const points = [0, 0, 2, 0.5, 1, 3, -1, 0];
  const shown = [1, 1, 1, 1];
  assert.equal(ahead([0, 0], points, shown, [0, 1], 0), 1);
  assert.equal(ahead([0, 0], points, shown, [0, -1], 0), 3);
  assert.equal(ahead([0, 0], points, shown, [-1, 0], 0), 2);
});
