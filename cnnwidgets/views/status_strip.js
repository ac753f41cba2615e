// What the panel is doing, in a sentence; progress and Cancel; the code that gives what is on screen.

import { h, listen, once, stamp } from "./shared.js";

function render({ model, el }) {
  const message = h("span", { className: "cw-message", role: "status", "aria-live": "polite" });
  const bar = h("progress", { max: 1, "aria-label": "progress" });
  const cancel = h("button", { title: "stop the computation; what is there stays" }, "Cancel");
  const show = h("button", { title: "the PyTorch lines that give what is on screen", "aria-expanded": "false" }, "Code");
  const copy = h("button", { title: "copy the code" }, "Copy");
  const code = h("pre", { tabIndex: 0, "aria-label": "code" });
  const listing = h("div", { className: "cw-code", hidden: true }, code, copy);
  const root = h("div", { className: "cw cw-status", "data-lm-suppress-shortcuts": "true" }, h("div", { className: "cw-strip" }, message, bar, cancel, show), listing);
  el.append(root);

  const paint = () => {
    const kind = model.get("kind");
    root.dataset.kind = kind;
    message.textContent = model.get("message");
    message.setAttribute("role", kind === "error" ? "alert" : "status");
    bar.hidden = cancel.hidden = kind !== "busy";
    if (model.get("fraction") > 0) bar.value = model.get("fraction");
    else bar.removeAttribute("value");
    code.textContent = model.get("code");
    stamp(root);
  };

  cancel.addEventListener("click", () => model.send({ kind: "cancel" }));
  show.addEventListener("click", () => {
    if (listing.hidden) model.send({ kind: "code" });
    listing.hidden = !listing.hidden;
    show.setAttribute("aria-expanded", String(!listing.hidden));
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
    } catch { // no permission, or no secure page: select it, for Ctrl+C
      getSelection().selectAllChildren(code);
      copy.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  });

  const end = listen(model, ["message", "kind", "fraction", "code"], once(paint));
  paint();
  const endHiding = hideTwin(el);
  return () => [end, endHiding].forEach((stop) => stop());
}

/** The panel's still picture is the output after it; once the panel lives, it is not needed. */
function hideTwin(el) {
  const hide = () => {
    const next = el.closest(".jp-OutputArea-child")?.nextElementSibling;
    if (!next?.querySelector(".jp-RenderedImage")) return;
    next.style.display = "none";
    observer.disconnect();
  };
  const observer = new MutationObserver(hide);
  requestAnimationFrame(() => {
    const area = el.closest(".jp-OutputArea");
    if (area) observer.observe(area, { childList: true, subtree: true });
    hide();
  });
  return () => observer.disconnect();
}

export default { render };
