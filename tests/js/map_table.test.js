// @ts-check
// How many maps stand side by side.

import assert from "node:assert/strict";
import { test } from "node:test";
import { perLine } from "../../cnnwidgets/views/map_table.js";

test("as many as fit, evenly spread over the lines", () => {
  assert.equal(perLine(5, 1100), 5); // the picture and four maps on one line
  assert.equal(perLine(5, 484), 3); // three and two
  assert.equal(perLine(15, 1100), 5); // of six that would fit: three full lines
  assert.equal(perLine(4, 484), 2); // two and two, not three and one
  assert.equal(perLine(2, 20), 1);
});
