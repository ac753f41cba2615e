// @ts-check
// What is known of a point: a card beside it, and a sentence; and what is said of all.

import { NONE } from "./scatter_marks.js";
import { h, resize, typed } from "./shared.js";
import { format, percent } from "./numbers.js";

const ENLARGED = 112; // CSS pixels of the picture on the card

/** The three most probable classes of a point, as [name, probability]. */
function answersOf(model, i) {
  const top = typed(Uint16Array, model.get("top"));
  const chance = typed(Uint16Array, model.get("chance"));
  const count = typed(Float32Array, model.get("positions")).length / 2;
  const each = count ? Math.floor(top.length / count) : 0;
  const answer = (at) => [classOf(model, top[at]), chance[at] / 65535];
  return Array.from({ length: Math.min(3, each) }, (_, k) => answer(i * each + k));
}

const classOf = (model, index) => model.get("classes")[index] ?? model.get("names")[index] ?? String(index);
export const grouped = (count) => count.toLocaleString("en");

/** A point's number in the data set and its label, or the value or class that colors it. */
function factsOf(model, i) {
  const numbered = typed(Int32Array, model.get("numbers"));
  const label = typed(Int32Array, model.get("labels"))[i] ?? -1;
  const group = typed(Uint16Array, model.get("group"))[i];
  const value = typed(Uint16Array, model.get("value"))[i];
  const facts = [`#${numbered[i] ?? i}`];
  if (label >= 0) facts.push(`label: ${classOf(model, label)}`);
  else if (model.get("names")[group] !== undefined) facts.push(model.get("names")[group]);
  if (value !== undefined) {
    const [lo, hi] = model.get("span");
    const told = value === NONE ? "not known" : `≈ ${format(lo + ((hi - lo) * value) / (NONE - 1))}`;
    facts.push(`${model.get("quantity")} ${told}`);
  }
  return facts;
}

/** "#12 · label: seven · network: 7 97.9%, 1 2.1%" */
export function sentenceOf(model, i) {
  const answers = answersOf(model, i).map(([name, chance]) => `${name} ${percent(chance)}`);
  return [...factsOf(model, i), ...(answers.length ? [`network: ${answers.join(", ")}`] : [])].join(" · ");
}

/** "1,797 points in 10 classes, 30 selected, 3 without a position" */
export function summaryOf(model, count, selected, placeless) {
  const many = (number, one, more) => `${grouped(number)} ${number === 1 ? one : more}`;
  const classes = model.get("names").length;
  const told = [many(count, "point", "points") + (classes ? ` in ${many(classes, "class", "classes")}` : "")];
  if (selected) told.push(`${grouped(selected)} selected`);
  if (placeless) told.push(`${grouped(placeless)} without a position`);
  return told.join(", ");
}

/** A card that is put beside a point and stays inside its parent. */
export function pointCard(model) {
  const picture = h("canvas", { className: "cw-enlarged" });
  const text = h("div", { className: "cw-facts" });
  const element = h("div", { className: "cw-card", hidden: true }, picture, text);
  let shown = -1;

  const fill = (i, atlas) => {
    const [number, ...facts] = factsOf(model, i);
    const rows = answersOf(model, i).map(([name, chance], k) => {
      const bar = h("span", { className: k ? "cw-fill" : "cw-fill cw-first" });
      bar.style.width = `${100 * chance}%`;
      const words = [h("span", { className: "cw-name" }, name), h("span", {}, percent(chance))];
      return h("div", { className: "cw-guess" }, ...words, h("span", { className: "cw-track" }, bar));
    });
    const lines = facts.map((fact) => h("div", { className: "cw-fact" }, fact));
    text.replaceChildren(h("div", { className: "cw-point" }, number), ...lines, ...rows);
    picture.hidden = !atlas.sheet;
    if (atlas.sheet) atlas.draw(resize(picture, ...atlas.size(ENLARGED)), i, 0, 0, ...atlas.size(ENLARGED));
  };

  /** Show point `i`, which lies at (x, y) in a stage of a size, leaving `gap` around it. */
  const show = (i, atlas, x, y, gap, [width, height]) => {
    element.hidden = i < 0;
    if (i < 0) return void (shown = -1);
    if (i !== shown) fill(i, atlas);
    shown = i;
    const [wide, tall] = [element.offsetWidth, element.offsetHeight];
    const left = x + gap + wide <= width ? x + gap : x - gap - wide;
    element.style.left = `${Math.max(0, Math.min(width - wide, left))}px`;
    element.style.top = `${Math.max(0, Math.min(height - tall, y - tall / 2))}px`;
  };
  return { element, show, forget: () => (shown = -1) };
}
