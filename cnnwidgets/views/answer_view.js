// What the network answers, before and with the patch where it is.

import { drawer, h, listen, position, typed } from "./shared.js";
import { format, percent } from "./numbers.js";
import { classColor } from "./palette.js";

function render({ model, el }) {
  const big = h("div", { className: "cw-big", role: "status", "aria-live": "polite" });
  const meter = h("div", { className: "cw-meter" });
  const other = h("div", { className: "cw-line" });
  const lists = h("div", { className: "cw-answers" });
  const note = h("div", { className: "cw-line" });
  const root = h("div", { className: "cw cw-answer" }, big, meter, other, lists, note);
  el.append(root);

  const name = (index) => model.get("names")[index] ?? String(index);

  /** The answer of a cell of the grid. */
  const inGrid = (i, j) => {
    const at = i * model.get("xs").length + j;
    const kept = typed(Int32Array, model.get("classes"));
    const k = kept.length / (model.get("ys").length * model.get("xs").length);
    return {
      probability: typed(Float32Array, model.get("probability"))[at],
      value: typed(Float32Array, model.get("values"))[at],
      classes: [...kept.slice(at * k, at * k + k)],
      chances: [...typed(Float32Array, model.get("chances")).slice(at * k, at * k + k)],
    };
  };

  /** The answer where the patch is; else that of the nearest cell that is known, and how far that is. */
  const now = () => {
    const [box, ys, xs] = [model.get("box"), model.get("ys"), model.get("xs")];
    if (box.length !== 4) return null;
    const known = typed(Uint8Array, model.get("known"));
    const [i, j] = [ys.indexOf(box[0]), xs.indexOf(box[1])];
    if (i >= 0 && j >= 0 && known[i * xs.length + j]) return { ...inGrid(i, j), far: 0 };
    const answer = model.get("answer");
    if (answer.box && answer.box.every((v, n) => v === box[n])) return { ...answer, far: 0 };
    let [best, far] = [-1, Infinity];
    known.forEach((there, at) => {
      const away = (ys[Math.floor(at / xs.length)] - box[0]) ** 2 + (xs[at % xs.length] - box[1]) ** 2;
      if (there && away < far) [best, far] = [at, away];
    });
    return best < 0 ? null : { ...inGrid(Math.floor(best / xs.length), best % xs.length), far: Math.sqrt(far) };
  };

  const list = (heading, answer) => h("table", {}, h("caption", {}, heading), h("tbody", {}, ...answer.classes.map((index, n) => {
    const fill = h("span", { className: "cw-fill" });
    Object.assign(fill.style, { width: `${100 * answer.chances[n]}%`, background: classColor(index) });
    const row = h("tr", { className: name(index) === model.get("target") ? "cw-watched" : "" },
      h("td", { className: "cw-name", title: name(index) }, name(index)),
      h("td", { className: "cw-track" }, fill),
      h("td", { className: "cw-percent" }, percent(answer.chances[n])));
    return row;
  })));

  const paint = () => {
    const before = model.get("before");
    if (!before.classes) return;
    const here = now();
    const shown = here ?? before;
    const about = here?.far ? "≈ " : "";
    const [quantity, span] = [model.get("quantity"), model.get("span")];
    const [lo, hi] = span.length ? span : [0, 1];
    const tell = (value) => (span.length ? format(value) : value.toFixed(3));
    const along = (value) => `${hi > lo ? Math.max(0, Math.min(100, (100 * (value - lo)) / (hi - lo))) : 0}%`;
    big.replaceChildren(
      h("span", { className: "cw-quantity", title: model.get("target") }, quantity),
      h("span", { className: "cw-number" }, `${about}${tell(shown.probability)}`),
      h("span", { className: "cw-was" }, here ? `was ${tell(before.probability)}` : "no patch"),
    );
    const [fill, tick] = [h("span", { className: "cw-fill" }), h("span", { className: "cw-tick", title: `without the patch ${tell(before.probability)}` })];
    fill.style.width = along(shown.probability);
    tick.style.setProperty("--at", along(before.probability)); // within the meter, at its ends too
    meter.replaceChildren(fill, tick);
    meter.setAttribute("aria-label", `${span.length ? quantity : "probability"} ${tell(shown.probability)}, without the patch ${tell(before.probability)}`);
    other.textContent = model.get("score") ? `${model.get("score")}: ${about}${format(shown.value)}, was ${format(before.value)}` : "";
    const told = before.classes.length ? [list("without the patch", before), here ? list("with the patch", here) : h("div", { className: "cw-place" })] : [];
    lists.replaceChildren(...told);
    note.textContent = here?.far ? `≈: the nearest position that is computed, ${format(here.far)} pixels away` : "";
    root.dataset.exact = String(!here?.far);
  };

  const draw = drawer(root, paint);
  const ends = [
    listen(model, ["target", "quantity", "span", "names", "before", "answer", "known", "values", "probability", "classes", "chances", "score", "box"], draw),
    draw.stop,
  ];
  draw();
  return () => ends.forEach((end) => end());
}

export default { render };
