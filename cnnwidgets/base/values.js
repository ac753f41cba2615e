// @ts-check
// Values of traits as a control shows them: their words, and where they stand among options.

/** Whether two values of a trait are the same. */
export const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/** Index of a value among [text, value] options; -1 if it is none of them. */
export const indexOf = (options, value) => options.findIndex(([, one]) => same(one, value));

/** A number as it is, with a true minus sign. */
export const exactly = (number) => String(number).replace(/^-/, "−");

/** A value in words: what code may set is not always among the options. */
export function wordsOf(value) {
  if (value == null) return "";
  if (Array.isArray(value)) return value.map(wordsOf).join(", ");
  if (typeof value === "number") return exactly(value);
  return typeof value === "object" ? String(value.other ?? "own") : String(value);
}

/** What a value is called. */
export const textOf = (options, value) => options[indexOf(options, value)]?.[0] ?? wordsOf(value);

/** The options, and after them those of some values that are none of them; nothing is no such value. */
export function optionsWith(options, values) {
  const others = values.filter((value) => value != null && indexOf(options, value) < 0);
  return [...options, ...others.map((value) => [wordsOf(value), value])];
}

/** The specs of all controls: the first ones, and what has changed since. */
export const specsOf = (model) => (model.get("_controls") ?? []).map((spec) => ({ ...spec, ...model.get("_changes")?.[spec.name] }));

/** The options of a spec: its own, or a list of the panel's that many may name. */
export const optionsOf = (spec, lists) => (typeof spec.options === "string" ? lists?.[spec.options] : spec.options) ?? [];

/** The options of which a text has all the words, in any case; first those that begin with the first word. */
export function matching(options, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = options.filter(([text]) => words.every((word) => text.toLowerCase().includes(word)));
  const first = ([text]) => text.toLowerCase().startsWith(words[0] ?? "");
  return [...found.filter(first), ...found.filter((option) => !first(option))];
}

let ids = 0;

/** An id that no other element has, also where this module is loaded twice. */
export const newId = () => `cwp-${Math.random().toString(36).slice(2, 8)}-${ids++}`;
