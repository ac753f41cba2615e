// @ts-check
// What hands do: keys, texts that are typed, values that come faster than frames.

import { h, hasFocus } from "../views/shared.js";

/** What is typed here is no shortcut of the notebook: VS Code would delete a cell, Notebook 7 leave a slider. */
export function keepKeys(root, signal) {
  const keep = (event) => event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab" || event.stopPropagation();
  root.addEventListener("keydown", keep, { signal });
}

/** Pass on the newest of many values once a frame; `flush` passes it on at once. */
export function perFrame(give) {
  let [frame, waiting] = [0, []];
  const flush = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    waiting.splice(0).forEach((value) => give(value));
  };
  const ask = (value) => {
    waiting = [value];
    frame ||= requestAnimationFrame(flush);
  };
  return { ask, flush };
}

/**
 * A field for a text. Enter takes what is typed, and so does leaving; Escape forgets it; what arrives meanwhile waits.
 * `take` says what is wrong with a text, or nothing; `complain` passes that on.
 */
export function typedInput(properties, take, complain) {
  const input = h("input", { type: "text", spellcheck: false, autocomplete: "off", ...properties });
  let [shown, dirty] = ["", false];
  const mark = (wrong) => {
    if (wrong) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    complain(wrong);
  };
  const forget = () => {
    dirty = false;
    input.value = shown;
    mark("");
  };
  const show = (text) => {
    shown = text;
    if (!dirty || !hasFocus(input)) forget();
  };
  const commit = () => {
    if (!dirty) return;
    const wrong = input.value === shown ? "" : take(input.value);
    if (wrong) mark(wrong);
    else forget();
  };
  input.addEventListener("input", () => ((dirty = true), mark("")));
  input.addEventListener("change", commit);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) commit(); // JupyterLab keeps the key's own doing away
    else if (event.key === "Escape") forget();
  });
  return { input, show, forget };
}
