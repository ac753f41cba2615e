// Where the tiles of a grid lie: numbers in, numbers out.

const LARGEST = 260; // CSS pixels of a tile, where the grid may choose
const LEAST = 26;

/** Columns near a number of them, and not fewer, that leave the last row full, or else as full as it can be. */
function evened(count, columns) {
  if (count <= columns) return count;
  for (let more = columns; more <= 1.35 * columns; more++) if (count % more === 0) return more;
  return Math.ceil(count / Math.ceil(count / columns));
}

/** The columns with which all tiles are in view, as large as they can be; of very many tiles some are scrolled to. */
export function comfortable({ count, ratio, room, height, gap, below }) {
  for (let columns = 1; ; columns++) {
    const tile = Math.floor(room / columns) - gap;
    if (tile <= LEAST) return { tile: LEAST, columns: Infinity };
    const rows = Math.ceil(count / columns);
    if (tile > LARGEST || rows * (tile * ratio + gap + below) > height) continue;
    const even = evened(count, columns);
    return { tile: even > columns ? Math.floor(room / even) - gap : tile, columns: even };
  }
}

/** Columns and sizes of the tiles in so many pixels; `wanted` is a tile's width, 0 for a comfortable one. */
export function tilesIn({ count, height, width, room, most, gap, below, wanted }) {
  const chosen = wanted ? { tile: wanted, columns: Infinity } : comfortable({ count, ratio: height / width, room, height: most, gap, below });
  const tile = Math.max(12, Math.min(chosen.tile, room - gap));
  const tall = Math.max(12, Math.min((tile * height) / width, 400));
  const wide = Math.min(Math.max(tile, (tall * width) / height), room - gap);
  const columns = Math.max(1, Math.min(chosen.columns, Math.floor(room / (wide + gap))));
  const pitch = tall + gap + below;
  return { columns, gap, tile: wide, tall, pitch, total: Math.ceil(count / columns) * pitch };
}
