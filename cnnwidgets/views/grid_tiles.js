// @ts-check
// Where the tiles of a grid lie: numbers in, numbers out.

const LARGEST = 260; // CSS pixels of a tile, where the grid may choose
const LEAST = 32;
const NEARLY = 0.85; // of the largest tile, for rows that are all full

/** The columns with which all tiles are in view, as large as they can be; of very many tiles some are scrolled to. */
export function comfortable({ count, ratio, room, height, gap, below }) {
  const tileOf = (columns) => {
    const tall = height / Math.ceil(count / columns) - gap - below;
    return Math.floor(Math.min(LARGEST, room / columns - gap, tall / ratio));
  };
  const most = Math.max(1, Math.min(count, Math.ceil(room / (LEAST + gap))));
  const all = Array.from({ length: most }, (_, k) => ({ columns: k + 1, tile: tileOf(k + 1) }));
  const largest = (some) => some.reduce((best, one) => (one.tile > best.tile ? one : best));
  const best = largest(all);
  const full = largest(all.filter(({ columns }) => count % columns === 0));
  if (best.tile < LEAST) return { columns: Infinity, tile: LEAST };
  return full.tile >= NEARLY * best.tile ? full : best;
}

/** Columns and sizes of the tiles in so many pixels; `wanted` is a tile's width, 0 for a comfortable one. */
export function tilesIn({ count, height, width, room, most, gap, below, wanted }) {
  const chosen = wanted ? { tile: wanted, columns: Infinity } : comfortable({ count, ratio: height / width, room, height: most, gap, below });
  const tile = Math.max(12, Math.min(chosen.tile, room - gap));
  const tall = Math.max(12, Math.min((tile * height) / width, 400));
  const wide = Math.min(Math.max(tile, (tall * width) / height), room - gap);
  const columns = Math.max(1, Math.min(chosen.columns, Math.floor(room / (wide + gap) + 1e-6)));
  const pitch = tall + gap + below;
  return { columns, gap, tile: wide, tall, pitch, total: Math.ceil(count / columns) * pitch };
}
