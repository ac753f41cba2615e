// @ts-check
// A picture: its number in a data set, and one of the reader's own: drawn, from a camera, or a file chosen, dropped or pasted.

import { h } from "../views/shared.js";
import { sliderField } from "./fields_number.js";
import { iconButton, pictureSheets } from "./picture_sheet.js";

const LARGEST = 2048; // pixels a side: a telephone's photograph is sent smaller, which a network would make of it anyway

/** A file as it is, or the picture in it made smaller. */
async function smaller(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = LARGEST / Math.max(bitmap.width, bitmap.height);
    if (scale >= 1) return file;
    const canvas = h("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const type = file.type === "image/png" ? file.type : "image/jpeg"; // which may have transparent parts
    return await new Promise((done) => canvas.toBlob((made) => done(made ?? file), type, 0.92));
  } catch { // no picture that this browser knows: perhaps Python does
    return file;
  }
}

/** A slider over the numbers of a data set, and buttons for the picture before, the one after and any other. */
function numberedField(spec, hand) {
  const { min, max } = spec;
  const slide = sliderField({ step: 1, whole: true, ...spec }, hand);
  let value = null; // a number, or a picture of the reader's own
  const from = (by) => (typeof value === "number" ? Math.max(min, Math.min(max, value + by)) : by > 0 ? min : max);
  const other = () => {
    const [count, isOne] = [max - min + 1, typeof value === "number"];
    const drawn = min + Math.floor(Math.random() * (isOne ? count - 1 : count));
    return isOne && drawn >= value ? drawn + 1 : drawn;
  };
  const before = iconButton("before", "Previous picture", hand, () => hand.give(from(-1)));
  const after = iconButton("after", "Next picture", hand, () => hand.give(from(1)));
  const random = iconButton("random", "Random picture", hand, () => hand.give(other()));
  let off = false;
  const gray = () => {
    [before.disabled, after.disabled, random.disabled] = [off || value === min, off || value === max, off];
  };
  return {
    body: slide.body,
    buttons: max > min ? [before, after, random] : [],
    focus: slide.focus,
    show(now) {
      value = now;
      slide.show(now);
      gray();
    },
    disable(yes) {
      off = yes;
      slide.disable(yes);
      gray();
    },
  };
}

export function pictureField(spec, hand) {
  const counted = spec.max >= 0;
  const slide = counted ? numberedField(spec, hand) : null;
  const words = counted ? [] : [h("span", {}, "Choose a picture …")];
  const choose = h("button", { type: "button", className: "cwp-button cwp-upload" }, h("span", { className: "cwp-icon", "data-icon": "upload" }), ...words);
  choose.classList.toggle("cwp-square", counted);
  if (counted) choose.setAttribute("aria-label", "Use a picture of your own");
  const sheets = pictureSheets(hand);
  const file = h("input", { type: "file", accept: "image/*", hidden: true, tabIndex: -1 });
  let off = false;
  const take = async (blob) => {
    if (!blob || off) return;
    hand.complain("");
    if (blob.type && !blob.type.startsWith("image/")) return hand.complain(`“${blob.name}” is not a picture.`);
    choose.setAttribute("aria-busy", "true");
    const bytes = await smaller(blob).then((one) => one.arrayBuffer());
    choose.removeAttribute("aria-busy");
    hand.send({ kind: "upload" }, [bytes]);
  };
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    take(file.files[0]);
    file.value = ""; // so that the same file can be chosen again
  });
  return {
    body: [...(slide?.body ?? []), h("div", { className: "cwp-joined" }, ...(slide?.buttons ?? []), ...sheets.buttons, choose), file],
    sheets: sheets.roots,
    ...(counted ? {} : { box: null }), // then the button has its own name
    focus: slide?.focus ?? choose,
    hint: "Drop one on the panel, or paste it.",
    take,
    show: (value) => slide?.show(value),
    disable(yes) {
      off = choose.disabled = yes;
      slide?.disable(yes);
      sheets.disable(yes);
    },
    end: sheets.end,
  };
}
