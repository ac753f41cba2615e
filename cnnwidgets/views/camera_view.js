// @ts-check
// A camera, as a view.

import { cameraPane } from "./camera_pane.js";
import { pixelBytes, h, listen, once, put } from "./shared.js";

/** @param {import("./host").Host<import("./traits").CameraView>} host */
function render({ model, el }) {
  const title = h("div", { className: "cw-title" });
  const root = h("div", { className: "cw cw-camera" }, title);
  el.append(root);
  let pane = null;

  const make = () => {
    pane?.end();
    pane?.root.remove();
    pane = cameraPane(model.get("shape"), { wants: () => true, take: (canvas) => put(model, { pixels: pixelBytes(canvas) }) });
    root.append(pane.root);
  };
  const head = () => {
    title.textContent = model.get("title");
    title.hidden = !title.textContent;
    root.style.setProperty("--cw-camera-width", `${model.get("width")}px`);
  };
  const ends = [listen(model, ["shape"], once(make)), listen(model, ["title", "width"], once(head))];
  head();
  make();
  return () => {
    ends.forEach((end) => end());
    pane.end();
  };
}

export default { render };
