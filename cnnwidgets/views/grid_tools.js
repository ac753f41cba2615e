// @ts-check
// The controls and the legend above a grid.

import { choice, h, listen, put } from "./shared.js";

/** What each tile is called where scales are spoken of: a unit's is its map. */
export const eachOf = (model) => `each ${model.get("noun") === "unit" ? "map" : model.get("noun")}`;

/** So many of a noun, in words. */
export const counted = (count, noun) => {
  const several = noun.endsWith("ch") ? `${noun}es` : `${noun}s`;
  return `${count.toLocaleString("en")} ${count === 1 ? noun : several}`;
};

/** Order, colors and their scale, and the legend; `name` says what the legend is of. */
export function toolbar(model, name, legend, ends) {
  const tools = h("div", { className: "cw-tools" });
  const offer = (trait, label, options, title) => {
    if (model.get("hide").includes(trait)) return;
    const control = choice(model, trait, label, options, title, ends);
    control.querySelector("select").disabled = model.get("lock").includes(trait);
    tools.append(control);
  };
  const same = (names) => names.map((name) => [name, name]);
  const sorts = Object.keys(model.get("orders"));
  if (sorts.length > 1) offer("sort", "Sort by", same(sorts), "Order of the tiles");
  offer("scale", "Scale", [["map", eachOf(model)], ["layer", "whole layer"], ["fixed", "fixed range"]],
    "What the colors span");
  if (!model.get("hide").includes("limits")) tools.append(limits(model, ends));
  if (!model.get("hide").includes("contrast")) tools.append(contrast(model, ends));
  offer("colors", "Colors", same(["auto", "viridis", "gray", "diverging"]), "Color table");
  tools.append(h("span", { className: "cw-spans" }, name, legend));
  return tools;
}

/** Buttons for the size of the tiles. */
export function zoomButtons(zoom) {
  const button = (className, text, title, factor) => {
    const made = h("button", { className, title, "aria-label": title }, text);
    made.addEventListener("click", () => zoom(factor));
    return made;
  };
  return h("span", { className: "cw-zoom" }, button("cw-smaller", "−", "Smaller tiles (-)", 0.8), button("cw-larger", "+", "Larger tiles (+)", 1.25));
}

/** Two numbers, shown while the scale is fixed. */
function limits(model, ends) {
  const [low, high] = ["from", "to"].map((text) => h("input", { type: "number", step: "any", title: `Fixed range, ${text}`, "aria-label": text }));
  const box = h("span", { className: "cw-choice" }, low, "to", high);
  const show = () => {
    box.hidden = model.get("scale") !== "fixed";
    [low.value, high.value] = model.get("limits");
    low.disabled = high.disabled = model.get("lock").includes("limits");
  };
  box.addEventListener("change", () => {
    const [lo, hi] = [low.valueAsNumber, high.valueAsNumber];
    if (lo < hi) put(model, { limits: [lo, hi] });
    else show();
  });
  ends.push(listen(model, ["scale", "limits"], show));
  show();
  return box;
}

/** A slider that brightens weak values: the colors end at a smaller value. */
function contrast(model, ends) {
  const slider = h("input", { type: "range", min: 1, max: 16, step: 0.5, title: "Brighten weak values" });
  const show = () => (slider.value = model.get("contrast"));
  slider.disabled = model.get("lock").includes("contrast");
  slider.addEventListener("input", () => put(model, { contrast: slider.valueAsNumber }));
  ends.push(listen(model, ["contrast"], show));
  show();
  return h("label", { className: "cw-choice" }, "Contrast", slider);
}
