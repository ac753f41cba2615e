// A slider over a number, and a field that says it exactly. Only what a hand does is sent: a value between the slider's
// places is shown at the nearest one, and stays what it is.

import { h, listen, once, put, stamp } from "./shared.js";

const DIGITS = 12; // significant ones that a place keeps: 3 steps of 0.1 are 0.3

/** The places of a logarithmic slider: numbers of two digits, about evenly apart. */
function logPlaces(min, max) {
  const mantissas = [...Array.from({ length: 10 }, (_, k) => 10 + k), ...Array.from({ length: 15 }, (_, k) => 20 + 2 * k),
    ...Array.from({ length: 10 }, (_, k) => 50 + 5 * k)];
  const places = [];
  for (let power = Math.floor(Math.log10(min)) - 1; places.at(-1) !== max; power++) {
    for (const mantissa of mantissas) {
      const place = Number(`${mantissa}e${power - 1}`);
      if (place >= min && place < max) places.push(place);
      else if (place >= max) return [...places, max];
    }
  }
  return places;
}

/** Where a slider can stand: `count` places after the first, the value `at` one, and the one `near` a value. */
function placesOf(min, max, step, log) {
  if (log) {
    const places = logPlaces(min, max);
    const apart = (value, place) => Math.abs(Math.log(Math.max(value, min) / place));
    const near = (value) => places.reduce((best, place, k) => (apart(value, place) < apart(value, places[best]) ? k : best), 0);
    return { count: places.length - 1, at: (k) => places[k], near };
  }
  const count = Math.max(0, Math.ceil((max - min) / step - 1e-9));
  return {
    count,
    at: (k) => (k >= count ? max : Number((min + k * step).toPrecision(DIGITS))),
    near: (value) => Math.max(0, Math.min(count, Math.round((value - min) / step))),
  };
}

/** The number in a text, cut off at the ends; null if there is none. */
function numberIn(text, low, high, whole) {
  const value = Number(text.trim().replace("−", "-").replace(",", "."));
  if (!text.trim() || !Number.isFinite(value)) return null;
  return Math.max(low, Math.min(high, whole ? Math.round(value) : value));
}

function render({ model, el }) {
  const label = h("span", { className: "cw-label" });
  const slide = h("input", { type: "range", min: 0, step: 1 });
  const field = h("input", { type: "text", inputMode: "decimal", spellcheck: false, autocomplete: "off", className: "cw-exact" });
  const root = h("div", { className: "cw cw-number-slider", "data-lm-suppress-shortcuts": "true" }, label, slide, field);
  el.append(root);
  let places;

  const text = () => model.get("words") || (model.get("value") === null ? "" : String(model.get("value")));
  const show = () => {
    const [name, disabled] = [model.get("description"), model.get("disabled")];
    places = placesOf(...["min", "max", "step", "logarithmic"].map((trait) => model.get(trait)));
    label.textContent = name;
    slide.max = places.count;
    slide.value = places.near(model.get("value") ?? model.get("min"));
    field.value = text();
    field.style.width = `${Math.min(24, Math.max(7, text().length + 1))}ch`;
    slide.disabled = field.disabled = disabled;
    slide.setAttribute("aria-label", name);
    slide.setAttribute("aria-valuetext", text());
    field.setAttribute("aria-label", `${name}, the exact value`);
    stamp(root);
  };

  const end = (own, usual) => model.get(own) ?? model.get(usual);
  const take = (value) => put(model, { value, words: "" });
  slide.addEventListener("input", () => take(places.at(slide.valueAsNumber)));
  field.addEventListener("change", () => {
    const value = field.value === text() ? null : numberIn(field.value, end("low", "min"), end("high", "max"), model.get("whole"));
    if (value !== null) take(value);
    show();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") show();
    else if (event.key === "Enter") field.blur();
  });

  const untie = listen(model, ["value", "words", "min", "max", "step", "logarithmic", "description", "disabled"], once(show));
  show();
  return untie;
}

export default { render };
