// A button that takes a file from the reader's own disk.

import { h, listen } from "./shared.js";

function render({ model, el }) {
  const file = h("input", { type: "file", hidden: true, tabIndex: -1 });
  const button = h("button", { className: "cw-upload" });
  el.append(h("div", { className: "cw", "data-lm-suppress-shortcuts": "true" }, button, file));

  const show = () => {
    button.textContent = model.get("description");
    button.disabled = model.get("disabled");
    file.accept = model.get("accept");
  };
  button.addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    model.send({ kind: "upload", name: chosen.name }, undefined, [await chosen.arrayBuffer()]);
    file.value = ""; // so that the same file can be chosen again
  });

  const end = listen(model, ["description", "disabled", "accept"], show);
  show();
  return end;
}

export default { render };
