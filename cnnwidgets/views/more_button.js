// A button that shows what is folded away, and folds it away again: in the browser, whatever the kernel does.

import { h, listen, put, stamp } from "./shared.js";

function render({ model, el }) {
  const sign = h("span", { className: "cw-more-sign", "aria-hidden": "true" }, "▸");
  const words = h("span", {});
  const button = h("button", { className: "cw-more" }, sign, words);
  el.append(h("div", { className: "cw", "data-lm-suppress-shortcuts": "true" }, button));

  const show = () => {
    words.textContent = model.get("description");
    button.setAttribute("aria-expanded", String(model.get("display") !== "none"));
    stamp(button);
  };
  button.addEventListener("click", () => put(model, { display: model.get("display") === "none" ? "" : "none" }));

  const end = listen(model, ["display", "description"], show);
  show();
  return end;
}

export default { render };
