// @ts-check
// Tiles of a grid fill the room that it has.

import assert from "node:assert/strict";
import { test } from "node:test";
import { comfortable, tilesIn } from "../../cnnwidgets/views/grid_tiles.js";

const square = { ratio: 1, room: 420, height: 370, gap: 3, below: 0 };

for (const count of [1, 2, 3, 6, 16, 20, 64]) {
  test(`${count} maps are all in view, in the largest tiles, or nearly so`, () => {
    const { columns, tile } = comfortable({ ...square, count });
    const fits = (wide, across) => across * (wide + 3) <= 420 && Math.ceil(count / across) * (wide + 3) <= 370;
    assert.ok(fits(tile, columns));
    const larger = Math.ceil(tile / 0.85) + 1;
    assert.ok(larger > 260 || !Array.from({ length: count }, (_, k) => fits(larger, k + 1)).includes(true));
  });
}

test("rows are full where that costs little", () => {
  assert.equal(comfortable({ ...square, count: 16 }).columns, 4);
  assert.equal(comfortable({ ...square, count: 64 }).columns, 8);
});

test("of very many maps tiles keep a size that can be seen, in full rows", () => {
  const { tile, columns } = tilesIn({ count: 2048, height: 7, width: 7, room: 420, most: 370, gap: 3, below: 0, wanted: 0 });
  assert.deepEqual([tile, columns], [32, 12]);
});

test("a tile that is asked for is as wide as that, in as many columns as there is room for", () => {
  const { columns, tile, pitch } = tilesIn({ count: 10, height: 2, width: 4, room: 420, most: 370, gap: 5, below: 18, wanted: 100 });
  assert.deepEqual([columns, tile, pitch], [4, 100, 50 + 5 + 18]);
});

test("tiles that just fit beside each other do so, though their width is 209.00000000000003", () => {
  const given = { count: 6, height: 60, width: 344, room: 424, most: 232, gap: 3, below: 18, wanted: 0 };
  assert.equal(tilesIn(given).columns, 2);
});
