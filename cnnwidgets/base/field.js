// @ts-check
// One control: made of its spec, tied to its trait, with a label and words of help.

import { h, listen, put, stamp } from "../views/shared.js";
import { actionField, buttonsField, selectField, textField, tickField } from "./fields_choice.js";
import { numberField, pairField, sliderField, stepsField } from "./fields_number.js";
import { pictureField } from "./fields_picture.js";
import { searchField } from "./fields_search.js";
import { newId, same } from "./values.js";

const FIELDS = {
  slider: sliderField, pair: pairField, steps: stepsField, number: numberField, choice: selectField, segment: buttonsField, several: buttonsField, chips: buttonsField,
  search: searchField, tags: searchField, tick: tickField, text: textField, picture: pictureField, action: actionField,
};
const REASONS = { locked: "Locked by the author of this notebook.", kernel: "Needs a running kernel." };

/** What a field is made of; its place, its words of help, whether it is gray and where it stands change without making it anew. */
export const partsOf = ({ more, group, help, locked, kernel, absent, when, shown, ...parts }) => parts;

/** Whether a control may want a row of its own. */
const isWide = ({ kind, options }) => ["tags", "chips", "picture"].includes(kind) || (kind === "several" && options.map(([text]) => text).join("---").length > 32);

/** Whether buttons of which one is on want more than half of a narrow strip. */
const isLong = ({ kind, options }) => kind === "segment" && options.map(([text]) => text).join("--").length > 12;

/** A control's field: made of its spec, tied to its trait, or to one value of a trait that is a dict (`of`). */
export function fieldOf(spec, model, tip) {
  const [trait, own] = [spec.of ?? spec.name, !spec.of];
  const get = () => (own ? model.get(trait) : model.get(trait)?.[spec.name]);
  const shownValue = () => field.spec.shown ?? get();
  const give = (value) => {
    if (same(value, shownValue())) return;
    field.spec = { ...field.spec, shown: null }; // a hand has it now
    if (same(value, get())) send({ kind: "again" });
    else put(model, { [trait]: own ? value : { ...model.get(trait), [spec.name]: value } });
  };
  const send = (message, buffers) => model.send({ ...message, name: spec.name }, undefined, buffers);
  const heard = []; // what ends it
  const hear = (traits, action) => heard.push(listen(model, traits, action));
  const help = h("span", { id: newId(), className: "cwp-unseen" });
  const alarm = h("span", { className: "cwp-unseen", role: "alert" });
  const field = { spec, wrong: "", reason: "" };
  const complain = (wrong) => {
    if (wrong) tip.show(field.root, wrong);
    else if (field.wrong) tip.hide();
    field.wrong = alarm.textContent = wrong;
    describe();
  };
  const describe = () => (help.textContent = [field.wrong, field.spec.help, REASONS[field.reason] ?? made.hint].filter(Boolean).join(" "));
  const made = FIELDS[spec.kind](spec, { name: spec.name, give, send, complain, tip, hear, get: (name) => model.get(name) });

  const control = h("div", { className: "cwp-control" }, ...made.body);
  const [single, box] = [made.box === undefined, made.box ?? control];
  const swatch = spec.swatch ? [h("span", { className: "cwp-swatch" })] : [];
  if (spec.swatch) swatch[0].style.background = spec.swatch;
  const label = h(single ? "label" : "span", { className: "cwp-label", id: newId() }, ...swatch, spec.label);
  if (single) {
    made.focus.setAttribute("aria-describedby", help.id);
    label.htmlFor = made.focus.id = newId();
  } else {
    box.setAttribute("role", ["segment", "chips"].includes(spec.kind) ? "radiogroup" : "group");
    if (made.named) box.setAttribute("aria-label", spec.label);
    else box.setAttribute("aria-labelledby", label.id);
    box.setAttribute("aria-describedby", help.id);
  }
  field.root = h("div", { className: "cwp-field", "data-control": spec.name, "data-kind": spec.kind, "data-reason": "" },
    ...(made.named ? [] : [label]), control, help, alarm);
  field.root.toggleAttribute("data-wide", isWide(spec));
  field.root.toggleAttribute("data-long", isLong(spec));
  if (!spec.about) tip.attach(field.root, () => help.textContent); // else each of its buttons has its own

  let shown; // nothing yet
  const show = () => {
    const value = shownValue();
    if (shown && same(value, shown.value)) return;
    shown = { value };
    made.show(value);
    stamp(field.root);
  };
  hear([trait], show);
  show();
  return Object.assign(field, {
    take: made.take,
    sheets: made.sheets ?? [],
    focus: () => made.focus.focus(),
    tell(now, live) {
      field.spec = now;
      field.reason = now.locked ? "locked" : now.kernel && !live ? "kernel" : "";
      field.root.dataset.reason = field.reason;
      made.disable(!!field.reason);
      describe();
      show();
    },
    end() {
      heard.forEach((end) => end());
      made.end?.();
    },
  });
}
