// @ts-check
// Controls of numbers: a slider with a field that says the number exactly, a slider over names, and a field alone.
// Only what a hand does is given: a value between a slider's places is shown at the nearest one, and stays what it is.

import { h } from "../views/shared.js";
import { perFrame, typedInput } from "./hands.js";
import { clip, numberIn, numbersIn, numberWords, placesOf, placesWithNone } from "./places.js";
import { exactly, indexOf, wordsOf } from "./values.js";

const WIDEST = 24; // letters that a field of a number is wide at most

/** A slider over places; while a hand holds it, nothing else moves it. `moved` hears of each place, `give` of one a frame. */
function rangeInput(count, moved, give) {
  const input = h("input", { type: "range", className: "cwp-range", min: 0, max: count, step: 1 });
  const passing = perFrame(give);
  let [held, at] = [false, null];
  const paint = () => {
    input.toggleAttribute("data-none", at === null);
    input.style.setProperty("--cwp-at", at === null ? 0 : count ? input.value / count : 1);
  };
  const show = (place) => {
    at = place;
    if (held) return;
    input.value = place ?? 0;
    paint();
  };
  const release = () => {
    passing.flush();
    held = false;
    show(at);
  };
  input.addEventListener("pointerdown", () => (held = true));
  input.addEventListener("input", () => {
    at = input.valueAsNumber;
    paint();
    moved(at);
    passing.ask(at);
  });
  ["change", "pointerup", "pointercancel", "blur"].forEach((end) => input.addEventListener(end, release));
  return { input, show };
}

const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;

/** What a trait holds as numbers: none, one or a pair. */
const numbersOf = (value) => [value].flat().filter((one) => typeof one === "number");

export function sliderField(spec, hand) {
  const places = spec.before ? placesWithNone(placesOf(spec)) : placesOf(spec);
  const [low, high] = [spec.low ?? spec.min, spec.high ?? Math.max(spec.min, spec.max)];
  const fit = (number) => clip(spec.whole ? Math.round(number) : number, low, high);
  const say = (place) => {
    const text = wordsOf(places.at(place));
    range.input.setAttribute("aria-valuetext", text || spec.none);
    exact.show(text);
  };
  const range = rangeInput(places.count, say, (place) => hand.give(places.at(place)));
  let value;
  const exact = typedInput(
    { className: "cwp-exact", inputMode: "decimal", placeholder: spec.none ?? "", "aria-label": `${spec.label}, exact value` },
    (text) => {
      const numbers = Array.isArray(value) ? numbersIn(text) : [numberIn(text)];
      if (!text.trim() && spec.none != null) hand.give(null);
      else if (!numbers || numbers.includes(null) || numbers.length > 2) return `Expected ${numberWords({ min: low, max: high, whole: spec.whole }, exactly)}.`;
      else hand.give(numbers.length === 1 ? fit(numbers[0]) : numbers.map(fit));
      return "";
    },
    hand.complain,
  );
  let widest = Math.max(2, ...[0, 1, places.count - 1, places.count].map((k) => wordsOf(places.at(clip(k, 0, places.count))).length), (spec.none ?? "").length);
  return {
    body: [range.input, exact.input],
    focus: range.input,
    show(now) {
      value = now;
      const numbers = numbersOf(value);
      const text = wordsOf(value);
      widest = Math.min(WIDEST, Math.max(widest, text.length)); // grows, so that nothing jumps under a hand
      exact.input.style.setProperty("--cwp-letters", widest);
      range.show(numbers.length ? places.near(mean(numbers)) : spec.before ? 0 : null);
      range.input.setAttribute("aria-valuetext", text || spec.none || "none");
      exact.show(text);
    },
    disable: (off) => (range.input.disabled = exact.input.disabled = off),
  };
}

export function stepsField(spec, hand) {
  const { options } = spec;
  const name = h("span", { className: "cwp-name", "aria-hidden": "true" }); // the slider itself says it
  const say = (text) => {
    name.textContent = text;
    range.input.setAttribute("aria-valuetext", text);
  };
  const range = rangeInput(Math.max(0, options.length - 1), (place) => say(options[place][0]), (place) => hand.give(options[place][1]));
  name.style.setProperty("--cwp-letters", Math.min(WIDEST, Math.max(4, ...options.map(([text]) => text.length))));
  return {
    body: [range.input, name],
    focus: range.input,
    show(value) {
      const place = indexOf(options, value);
      range.show(place < 0 ? null : place);
      say(place < 0 ? wordsOf(value) : options[place][0]);
    },
    disable: (off) => (range.input.disabled = off || !options.length),
  };
}

/** A number as attributes take it, without an exponent. */
const plainly = (number) => number.toLocaleString("en", { useGrouping: false, maximumFractionDigits: 20 });

const KEYS = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };

export function numberField(spec, hand) {
  const whole = spec.whole ?? Number.isInteger(spec.step);
  const step = spec.step ?? (whole ? 1 : null);
  const words = numberWords({ ...spec, whole }, exactly);
  let value = null;
  const wrong = (number) => number === null || number < (spec.min ?? -Infinity) || number > (spec.max ?? Infinity) || (whole && !Number.isInteger(number));
  const take = (text) => {
    const number = numberIn(text);
    if (!text.trim() && spec.none != null) hand.give(null);
    else if (wrong(number)) return `Expected ${words}${text.trim() && `, got ${text.trim()}`}.`;
    else hand.give(number);
    return "";
  };
  const { input, show, forget } = typedInput(
    { className: "cwp-number", inputMode: "decimal", placeholder: spec.none ?? "", role: "spinbutton" }, take, hand.complain);
  if (spec.min != null) input.setAttribute("aria-valuemin", plainly(spec.min));
  if (spec.max != null) input.setAttribute("aria-valuemax", plainly(spec.max));
  input.addEventListener("keydown", (event) => {
    const by = KEYS[event.key];
    if (!by || !step) return;
    event.preventDefault();
    const from = numberIn(input.value) ?? value ?? spec.min ?? 0;
    forget();
    hand.give(clip(Number((from + by * step).toPrecision(12)), spec.min, spec.max));
  });
  return {
    body: [input],
    focus: input,
    hint: `${words.replace("a ", "").replace(/^./, (letter) => letter.toUpperCase())}.`,
    show(now) {
      value = now;
      const text = wordsOf(now);
      if (typeof now === "number") input.setAttribute("aria-valuenow", plainly(now));
      else input.removeAttribute("aria-valuenow");
      input.style.setProperty("--cwp-letters", clip(Math.max(text.length, (spec.none ?? "").length), 5, 18));
      show(text);
    },
    disable: (off) => (input.disabled = off),
  };
}

/** The two ends of a range, in a field each; the lower one stays the lower. */
export function pairField(spec, hand) {
  let ends = [];
  const field = (end) => typedInput(
    { className: "cwp-number", inputMode: "decimal", "aria-label": `${spec.label}, ${["from", "to"][end]}` },
    (text) => {
      const now = ends.map((one, k) => (k === end ? numberIn(text) : one));
      if (now.includes(null)) return "expected a number";
      if (!(now[0] < now[1])) return `expected a number ${end ? "above" : "below"} ${exactly(ends[1 - end])}`;
      hand.give(now);
      return "";
    },
    hand.complain,
  );
  const fields = [field(0), field(1)];
  return {
    body: [fields[0].input, h("span", { className: "cwp-name" }, "to"), fields[1].input],
    box: undefined,
    focus: fields[0].input,
    show(value) {
      ends = value;
      fields.forEach(({ input, show }, k) => {
        input.style.setProperty("--cwp-letters", Math.max(5, exactly(value[k]).length));
        show(exactly(value[k]));
      });
    },
    disable: (off) => fields.forEach(({ input }) => (input.disabled = off)),
  };
}
