// @ts-check
// Strokes are taken back one by one, and leave what a drawing without them has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_STROKES, strokesOn } from "../../cnnwidgets/views/strokes.js";

/** A context that remembers all that was drawn since it was last blank or put back. */
function recorded() {
  let marks = [];
  const context = {
    canvas: { width: 10, height: 10 },
    beginPath() {},
    arc: (x, y, r) => marks.push(["dot", context.fillStyle, x, y, r]),
    moveTo: (x, y) => marks.push(["from", context.strokeStyle, x, y, context.lineWidth]),
    lineTo: (x, y) => marks.push(["to", x, y]),
    fill() {},
    stroke() {},
    getImageData: () => [...marks],
    putImageData: (kept) => (marks = [...kept]),
  };
  const strokes = strokesOn(/** @type {any} */ (context), () => (marks = ["paper"]));
  strokes.reset();
  return { strokes, marks: () => [...marks] };
}

const wave = (strokes, k) => {
  strokes.begin(`color ${k}`, k, [k, 0]);
  strokes.extend([k, 1]);
  strokes.extend([k, 2]);
};

test("what is left after an undo is what was there before the stroke, to the last mark", () => {
  const { strokes, marks } = recorded();
  const before = [];
  for (let k = 0; k < 5; k++) {
    before.push(marks());
    wave(strokes, k);
  }
  assert.equal(strokes.count, 5);
  for (let k = 4; k >= 0; k--) {
    strokes.undo();
    assert.deepEqual(marks(), before[k]);
    assert.equal(strokes.count, k);
  }
  assert.equal(strokes.canUndo, false);
});

test("to clear the paper can be taken back, too", () => {
  const { strokes, marks } = recorded();
  wave(strokes, 1);
  const drawn = marks();
  strokes.clear();
  assert.deepEqual([marks(), strokes.count], [["paper"], 0]);
  wave(strokes, 2);
  assert.equal(strokes.count, 1);
  strokes.undo();
  strokes.undo();
  assert.deepEqual([marks(), strokes.count], [drawn, 1]);
});

test("of very many strokes the oldest stay, and nothing grows without end", () => {
  const { strokes, marks } = recorded();
  let oldest;
  for (let k = 0; k < MOST_STROKES + 3; k++) {
    wave(strokes, k);
    if (k === 2) oldest = marks();
  }
  const all = marks();
  wave(strokes, 9);
  strokes.undo();
  assert.deepEqual(marks(), all, "as it was drawn");
  let undone = 0;
  for (; strokes.canUndo; undone++) strokes.undo();
  assert.equal(undone, MOST_STROKES - 1);
  assert.deepEqual(marks().slice(0, oldest.length), oldest, "the first ones are paper now");
});

test("a touch without a move is a dot as wide as the pen", () => {
  const { strokes, marks } = recorded();
  strokes.begin("red", 8, [3, 4]);
  assert.deepEqual(marks(), ["paper", ["dot", "red", 3, 4, 4]]);
});
