// @ts-check
// Controls of options: a drop-down, buttons of which one or any number are on; and a tick, a text, a button.

import { h } from "../views/shared.js";
import { typedInput } from "./hands.js";
import { indexOf, newId, optionsWith, same, wordsOf } from "./values.js";

export function selectField(spec, hand) {
  const select = h("select", { className: "cwp-select" });
  let options = [];
  select.addEventListener("change", () => hand.give(options[select.value][1]));
  return {
    body: [select],
    focus: select,
    show(value) {
      const wanted = optionsWith(spec.options, [value]);
      if (!same(wanted, options)) select.replaceChildren(...wanted.map(([text], place) => h("option", { value: place }, text)));
      options = wanted;
      select.value = indexOf(options, value);
    },
    disable: (off) => (select.disabled = off),
  };
}

/** Buttons under a heading. */
function headed(heading, buttons) {
  const name = h("span", { className: "cwp-heading", id: newId() }, heading);
  return h("div", { className: "cwp-headed", role: "group", "aria-labelledby": name.id }, ...(heading ? [name] : []), ...buttons);
}

/** A line through points from 0 to 1, x then y, as a small drawing. */
function sparkline(points) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  svg.setAttribute("class", "cwp-spark");
  svg.setAttribute("viewBox", "-1 -1 30 16");
  line.setAttribute("points", points.map(([x, y]) => `${28 * x},${14 * (1 - y)}`).join(" "));
  svg.append(line);
  return svg;
}

/**
 * Radio buttons ("segment", or "chips" that stand apart) or ticks ("several") that look like buttons; under headings, each
 * with its own help, where `about` says so; `sparks` are the points of a small line before each.
 */
export function buttonsField(spec, hand) {
  const [many, about] = [spec.kind === "several", spec.about ?? []];
  const name = newId();
  const box = h("div", { className: spec.kind === "segment" ? "cwp-segment" : "cwp-several" });
  let [options, inputs, chosen, off] = [[], [], [], false];
  const take = (value, on) => {
    if (!many) hand.give(value);
    else hand.give(on ? [...chosen, value] : chosen.filter((one) => !same(one, value)));
  };
  const fill = (wanted) => {
    options = wanted;
    inputs = options.map(([, value]) => {
      const input = h("input", { type: many ? "checkbox" : "radio", name, disabled: off });
      input.addEventListener("change", () => take(value, input.checked));
      return input;
    });
    const spark = (place) => (spec.sparks?.[place] ? [sparkline(spec.sparks[place])] : []);
    const labels = options.map(([text], place) => h("label", {}, inputs[place], h("span", {}, ...spark(place), text)));
    const headings = [...new Set(options.map((_, place) => about[place]?.[0] ?? ""))];
    const under = headings.map((heading) => labels.filter((_, place) => (about[place]?.[0] ?? "") === heading));
    box.replaceChildren(...(spec.about ? headings.map((heading, n) => headed(heading, under[n])) : labels));
    about.forEach(([, help], place) => {
      const words = h("span", { id: newId(), className: "cwp-unseen" }, help);
      box.append(words); // beside the label, which else would be named by it too
      inputs[place].setAttribute("aria-describedby", words.id);
      hand.tip.attach(labels[place], () => help);
    });
  };
  return {
    body: [box],
    box,
    named: spec.kind === "chips" || !!spec.about, // their groups have names of their own
    get focus() {
      return inputs.find((input) => input.checked && !many) ?? inputs[0] ?? box;
    },
    show(value) {
      chosen = many ? value ?? [] : [value];
      const wanted = optionsWith(spec.options, chosen);
      if (!same(wanted, options)) fill(wanted);
      inputs.forEach((input, place) => (input.checked = chosen.some((one) => same(one, options[place][1]))));
    },
    disable(yes) {
      off = yes;
      inputs.forEach((input) => (input.disabled = off));
    },
  };
}

export function tickField(spec, hand) {
  const input = h("input", { type: "checkbox" });
  input.addEventListener("change", () => hand.give(input.checked));
  return {
    body: [h("label", { className: "cwp-tick" }, input, h("span", {}, spec.label))],
    focus: input,
    named: true,
    show: (value) => (input.checked = !!value),
    disable: (off) => (input.disabled = off),
  };
}

export function textField(spec, hand) {
  const take = (text) => (hand.give(text), "");
  const { input, show } = typedInput({ className: "cwp-text", placeholder: spec.placeholder ?? "" }, take, hand.complain);
  return {
    body: [input],
    focus: input,
    show: (value) => show(wordsOf(value)),
    disable: (off) => (input.disabled = off),
  };
}

export function actionField(spec, hand) {
  const sign = spec.icon ? [h("span", { className: "cwp-icon", "data-icon": spec.icon })] : [];
  const key = spec.key ? [h("kbd", { "aria-hidden": "true" }, spec.key)] : [];
  const button = h("button", { type: "button", className: `cwp-button${spec.primary ? " cwp-primary" : ""}` }, ...sign, h("span", {}, spec.label), ...key);
  if (spec.key) button.setAttribute("aria-keyshortcuts", spec.key);
  button.addEventListener("click", () => hand.send({ kind: "action" }));
  return { body: [button], focus: button, named: true, show() {}, disable: (off) => (button.disabled = off) };
}
