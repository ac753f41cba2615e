// @ts-check
// A drawing, as a view.

import { drawPad } from "./draw_pad.js";
import { pixelBytes, h, listen, once, pictureOf, put } from "./shared.js";

/** @param {import("./host").Host<import("./traits").DrawView>} host */
function render({ model, el }) {
  const title = h("div", { className: "cw-title" });
  const root = h("div", { className: "cw cw-draw" }, title);
  el.append(root);
  let [pad, own] = [null, false];

  const given = () => (model.get("pixels")?.byteLength ? pictureOf(model.get("pixels"), model.get("shape")) : null);
  const send = () => {
    own = true; // what comes from here is drawn already
    put(model, { pixels: pixelBytes(pad.canvas) });
    own = false;
  };
  const make = () => {
    const [paper, ink, colors, frame] = [model.get("paper"), model.get("ink"), model.get("colors"), model.get("frame")];
    const made = drawPad({ shape: model.get("shape"), paper, ink, colors, frame, below: given() }, send);
    pad?.root.remove();
    pad = made;
    root.append(pad.root);
  };
  const head = () => {
    title.textContent = model.get("title");
    title.hidden = !title.textContent;
    root.style.setProperty("--cw-draw-width", `${model.get("width")}px`);
  };
  const ends = [
    listen(model, ["shape", "paper", "ink", "colors", "frame"], once(make)),
    listen(model, ["pixels"], () => own || pad.lay(given())),
    listen(model, ["title", "width"], once(head)),
  ];
  head();
  make();
  return () => ends.forEach((end) => end());
}

export default { render };
