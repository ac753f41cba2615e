// @ts-check
// One ("search") or any number ("tags") of many values: a field whose list follows what is typed.

import { h, hasFocus } from "../views/shared.js";
import { keepPlace } from "./floating.js";
import { matching, newId, optionsWith, same, textOf } from "./values.js";

const MOST_LISTED = 100;
const KEYS_IN_LIST = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

export function searchField(spec, hand) {
  const many = spec.kind === "tags";
  const id = newId();
  const input = h("input", {
    type: "text", className: "cwp-find", role: "combobox", autocomplete: "off", spellcheck: false,
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id,
  });
  const chips = h("span", { className: "cwp-chips" });
  const box = h("div", { className: many ? "cwp-tags" : "cwp-search" }, ...(many ? [chips] : []), input);
  const list = h("div", { className: "cwp-list", id, role: "listbox", popover: "manual", "aria-label": spec.label });
  if (many) list.setAttribute("aria-multiselectable", "true");
  let [options, found, active, chosen, off, query] = [spec.options, [], -1, [], false, ""];
  const place = keepPlace(list, box);

  const isOpen = () => input.getAttribute("aria-expanded") === "true";
  const isOn = (value) => chosen.some((one) => same(one, value));
  const rest = () => (input.value = many ? "" : textOf(options, chosen[0]));

  const mark = (to) => {
    active = found.length ? (to + found.length) % found.length : -1;
    [...list.children].forEach((item, k) => item.toggleAttribute("data-active", k === active));
    list.children[active]?.scrollIntoView({ block: "nearest" });
    if (active >= 0) input.setAttribute("aria-activedescendant", list.children[active].id);
    else input.removeAttribute("aria-activedescendant");
  };

  const entry = ([text, value], k) => {
    const item = h("div", { role: "option", id: `${id}-${k}`, "aria-selected": String(isOn(value)) }, text);
    item.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the field
    item.addEventListener("click", () => take(value));
    return item;
  };

  const fill = () => {
    const all = matching(options, query);
    const on = query ? [] : all.filter(([, value]) => isOn(value));
    found = [...on, ...all.filter((option) => !on.includes(option))].slice(0, MOST_LISTED);
    const [rest, none] = [all.length - found.length, "Nothing matches"];
    const words = rest ? `${rest} more: type to narrow` : all.length ? "" : none;
    list.replaceChildren(...found.map(entry), ...(words ? [h("div", { className: "cwp-listed", role: "presentation" }, words)] : []));
    place();
    mark(0);
  };

  const unfold = () => {
    if (off || isOpen()) return;
    input.setAttribute("aria-expanded", "true");
    query = "";
    list.showPopover();
    fill();
  };
  const fold = () => {
    if (!isOpen()) return;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    list.hidePopover();
    rest();
  };

  const take = (value) => {
    if (many) hand.give(isOn(value) ? chosen.filter((one) => !same(one, value)) : [...chosen, value]);
    else hand.give(value);
    if (!many) fold();
    else if (isOpen()) {
      input.value = query = "";
      fill();
    }
  };

  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => unfold());
  input.addEventListener("blur", () => (fold(), rest()));
  input.addEventListener("input", () => {
    const typed = input.value;
    unfold();
    query = input.value = typed;
    fill();
  });
  input.addEventListener("keydown", (event) => {
    const by = KEYS_IN_LIST[event.key];
    if (by) isOpen() ? mark(Math.abs(by) === 1 ? active + by : Math.max(0, Math.min(found.length - 1, active + by))) : unfold();
    else if (event.key === "Enter" && !event.isComposing) isOpen() ? active >= 0 && take(found[active][1]) : unfold();
    else if (event.key === "Escape" && isOpen()) fold();
    else if (event.key === "Backspace" && many && !input.value && chosen.length) hand.give(chosen.slice(0, -1));
    else return;
    event.preventDefault();
  });
  box.addEventListener("pointerdown", (event) => {
    if (![box, chips].includes(event.target) || off) return;
    event.preventDefault();
    input.focus();
    unfold();
  });

  const drawChips = () => chips.replaceChildren(...chosen.map((value) => {
    const text = textOf(options, value);
    const drop = h("button", { type: "button", className: "cwp-drop", "aria-label": `Remove ${text}`, disabled: off }, "×");
    drop.addEventListener("click", () => {
      take(value);
      input.focus();
    });
    return h("span", { className: "cwp-chip" }, h("span", { title: text }, text), drop);
  }));

  return {
    body: [box, list],
    focus: input,
    show(value) {
      chosen = many ? value ?? [] : [value];
      options = optionsWith(spec.options, chosen);
      if (many) drawChips();
      input.placeholder = many && chosen.length ? "" : "Search …";
      if (isOpen()) [...list.querySelectorAll("[role=option]")].forEach((item, k) => item.setAttribute("aria-selected", String(isOn(found[k][1]))));
      else if (!hasFocus(input) || !many) rest();
    },
    disable(yes) {
      off = input.disabled = yes;
      box.toggleAttribute("data-off", off);
      if (off) fold();
      chips.querySelectorAll("button").forEach((drop) => (drop.disabled = off));
    },
    end: fold,
  };
}
