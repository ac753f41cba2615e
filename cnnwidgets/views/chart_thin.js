// @ts-check
// Which points of a long curve are drawn: in each pixel column the lowest and the highest, so that no spike is lost.

export const LONG = 4000; // points that plotly draws fast enough as they are

/** The first index whose x is at least a value; x ascends. */
export function bisect(x, value) {
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether numbers never fall, and all are numbers. */
export function ascends(x) {
  for (let i = 1; i < x.length; i++) if (!(x[i] >= x[i - 1])) return false;
  return x[0] === x[0];
}

/**
 * Indices, ascending, of what is drawn of a curve whose x ascends: two points a column, and one more where it has a gap.
 *
 * `range` is what is visible, as plotly has it: the exponents, if `logX`. With `logY`, what is not positive is a gap. The
 * ends, the lowest and the highest point stay wherever they are, so that plotly finds the same range by itself.
 */
export function thin(x, y, range, columns, logX, logY) {
  const value = (at) => (logX ? 10 ** at : at);
  const [lo, hi] = [Math.min(...range), Math.max(...range)];
  const begin = Math.max(0, bisect(x, value(lo)) - 1);
  const end = Math.min(x.length, bisect(x, value(hi)) + 1);
  const shown = (i) => Number.isFinite(y[i]) && (!logY || y[i] > 0);
  const kept = new Set([0, x.length - 1]);
  const keep = (from, to) => {
    let [low, high, gap] = [-1, -1, -1];
    for (let i = from; i < to; i++) {
      if (!shown(i)) gap = i;
      else {
        if (low < 0 || y[i] < y[low]) low = i;
        if (high < 0 || y[i] > y[high]) high = i;
      }
    }
    for (const i of [low, high, gap]) if (i >= 0) kept.add(i);
  };
  keep(0, x.length);
  let i = begin;
  for (let column = 1; i < end; column++) {
    const edge = column > columns ? Infinity : value(lo + ((hi - lo) * column) / columns);
    const from = i;
    while (i < end && x[i] <= edge) i++;
    keep(from, i);
  }
  return Int32Array.from(kept).sort();
}
