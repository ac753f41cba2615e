// @ts-check
// Where a slider can stand, and the numbers in what is typed.

const DIGITS = 12; // significant ones that a place keeps: 3 steps of 0.1 are 0.3

/** Numbers of two digits, about evenly apart, from one end to the other. */
function logPlaces(min, max) {
  const mantissas = [...Array.from({ length: 10 }, (_, k) => 10 + k), ...Array.from({ length: 15 }, (_, k) => 20 + 2 * k),
    ...Array.from({ length: 10 }, (_, k) => 50 + 5 * k)];
  const places = [];
  for (let power = Math.floor(Math.log10(min)) - 1; ; power++) {
    for (const mantissa of mantissas) {
      const place = Number(`${mantissa}e${power - 1}`);
      if (place >= max) return [...places, max];
      if (place >= min) places.push(place);
    }
  }
}

/** A slider's places: the last one's number `count`, the value `at` one, and the one `near` a value. */
export function placesOf({ min, max, step = 1, log = false }) {
  if (log) {
    const places = logPlaces(min, max);
    const apart = (value, place) => Math.abs(Math.log(Math.max(value, min) / place));
    const near = (value) => places.reduce((best, place, k) => (apart(value, place) < apart(value, places[best]) ? k : best), 0);
    return { count: places.length - 1, at: (k) => places[k], near };
  }
  const count = Math.max(0, Math.ceil((max - min) / step - 1e-9));
  return {
    count,
    at: (k) => (k >= count ? Math.max(min, max) : Number((min + k * step).toPrecision(DIGITS))),
    near: (value) => Math.max(0, Math.min(count, Math.round((value - min) / step))),
  };
}

/** Places with one more before the first, for no number. */
export function placesWithNone(places) {
  return { count: places.count + 1, at: (k) => (k < 1 ? null : places.at(k - 1)), near: (value) => places.near(value) + 1 };
}

/** The number in a text, with either minus and a point or a comma; null if there is none. */
export function numberIn(text) {
  const value = Number(text.trim().replace("−", "-").replace(",", "."));
  return text.trim() && Number.isFinite(value) ? value : null;
}

/** The numbers in a text between commas, signs of times or blanks; null if there is anything else. */
export function numbersIn(text) {
  const values = text.trim().split(/\s*[,;×]\s*|\s+/).map(numberIn);
  return values.includes(null) ? null : values;
}

export const clip = (value, low, high) => Math.max(low ?? -Infinity, Math.min(high ?? Infinity, value));

/** What a number between two ends is called: "a whole number from 1 to 20". */
export function numberWords({ min, max, whole }, say) {
  const ends = [min != null && `from ${say(min)}`, max != null && `${min != null ? "" : "up "}to ${say(max)}`];
  return [whole ? "a whole number" : "a number", ...ends.filter(Boolean)].join(" ");
}
