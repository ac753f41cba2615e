// @ts-check
// What the network answers, before and with the patch where it is.

import { drawer, h, listen, typed } from "./shared.js";
import { format, percent } from "./numbers.js";
import { classColor } from "./palette.js";

const ROWS = 8;
const NAUGHT = 0.005; // a bar shows no difference between less and nothing

/** The classes of the list, in places that stay while the patch moves: the answer itself, then the largest anywhere. */
function listed(before, classes, chances, target) {
  const largest = new Map(before.classes.map((index, n) => [index, n ? before.chances[n] : Infinity]));
  classes.forEach((index, n) => index >= 0 && largest.set(index, Math.max(largest.get(index) ?? 0, chances[n])));
  return withClass([...largest.keys()].sort((a, b) => largest.get(b) - largest.get(a)).slice(0, ROWS), target, target);
}

/** A list that has a class, too: in the last place that is free, or not the target's. */
function withClass(rows, index, target) {
  if (index < 0 || !rows.length || rows.includes(index)) return rows;
  if (rows.length < ROWS) return [...rows, index];
  return rows.with(rows.at(-1) === target ? -2 : -1, index);
}

/** @param {import("./host").Host<import("./traits").AnswerView>} host */
function render({ model, el }) {
  const title = h("div", { className: "cw-title" });
  const big = h("div", { className: "cw-big", role: "status", "aria-live": "polite" });
  const meter = h("div", { className: "cw-track cw-meter" });
  const list = h("div", { className: "cw-answers" });
  const note = h("div", { className: "cw-line" });
  const root = h("div", { className: "cw cw-answer" }, title, big, meter, list, note);
  el.append(root);

  const name = (index) => model.get("names")[index] ?? String(index);
  const tell = (value) => (model.get("share") ? percent(value) : format(value));
  const tables = () => [typed(Int32Array, model.get("classes")), typed(Float32Array, model.get("chances"))];

  /** The answer of a cell of the grid. */
  const inGrid = (i, j) => {
    const at = i * model.get("xs").length + j;
    const [classes, chances] = tables();
    const k = classes.length / (model.get("ys").length * model.get("xs").length);
    return {
      value: typed(Float32Array, model.get("values"))[at],
      classes: [...classes.slice(at * k, at * k + k)],
      chances: [...chances.slice(at * k, at * k + k)],
    };
  };

  /** The answer where the patch is; else that of the nearest cell that is known, and how far that is. @returns {Record<string, any>} */
  const now = () => {
    const [box, ys, xs] = [model.get("box"), model.get("ys"), model.get("xs")];
    if (box.length !== 4) return null;
    const known = typed(Uint8Array, model.get("known"));
    const [i, j] = [ys.indexOf(box[0]), xs.indexOf(box[1])];
    if (i >= 0 && j >= 0 && known[i * xs.length + j]) return { ...inGrid(i, j), far: 0 };
    const answer = model.get("answer");
    if (answer.box?.every((v, n) => v === box[n])) return { ...answer, far: 0 };
    let [best, far] = [-1, Infinity];
    known.forEach((there, at) => {
      const away = (ys[Math.floor(at / xs.length)] - box[0]) ** 2 + (xs[at % xs.length] - box[1]) ** 2;
      if (there && away < far) [best, far] = [at, away];
    });
    return best < 0 ? null : { ...inGrid(Math.floor(best / xs.length), best % xs.length), far: Math.sqrt(far) };
  };

  /** A bar with two marks: filled as far as now, a tick at before; null for what is not known. */
  const mark = (track, share, was, color) => {
    const clip = (value) => `${100 * Math.max(0, Math.min(1, value))}%`;
    const [fill, tick] = [h("span", { className: "cw-fill" }), h("span", { className: "cw-tick" })];
    Object.assign(fill.style, { width: clip(share ?? 0), background: color });
    tick.style.setProperty("--at", clip(was ?? 0));
    track.replaceChildren(...(share === null ? [] : [fill]), ...(was === null ? [] : [tick]));
    return track;
  };

  /** A class's probability in an answer, and how it is written; of one that is not kept it is known what it is below. */
  const chance = (answer, index) => {
    const n = answer.classes.indexOf(index);
    if (index === model.get("target") && model.get("share")) return [answer.value, percent(answer.value)];
    if (n >= 0) return [answer.chances[n], percent(answer.chances[n])];
    const [most, text] = [answer.chances.at(-1), percent(answer.chances.at(-1))];
    return [most < NAUGHT ? most : null, text.startsWith("<") || text === "0%" ? text : `< ${text}`];
  };

  const row = (index, before, here) => {
    const [[was, wasTold], [is, isTold]] = [chance(before, index), here ? chance(here, index) : [null, ""]];
    return h("div", { className: index === model.get("target") ? "cw-watched" : "", role: "row" },
      h("span", { className: "cw-name", title: name(index), role: "rowheader" }, name(index)),
      mark(h("span", { className: "cw-track", role: "presentation" }), is, was, classColor(index)),
      h("span", { className: "cw-now", role: "cell" }, isTold),
      h("span", { className: "cw-before", role: "cell" }, wasTold));
  };

  let rows = [];
  const rank = () => (rows = model.get("before").classes ? listed(model.get("before"), ...tables(), model.get("target")) : []);

  const paint = () => {
    const [before, share] = [model.get("before"), model.get("share")];
    if (!before.classes) return;
    const here = now();
    const about = here?.far ? "≈ " : "";
    title.textContent = title.title = model.get("quantity");
    big.replaceChildren(
      h("span", { className: "cw-number" }, `${about}${tell((here ?? before).value)}`),
      h("span", { className: "cw-was" }, here ? `before: ${tell(before.value)}` : "no patch"),
    );
    meter.hidden = share;
    const [lo, hi] = model.get("span");
    const along = (value) => (hi > lo ? (value - lo) / (hi - lo) : 0);
    if (!share) mark(meter, along((here ?? before).value), along(before.value), "");
    const shown = withClass(rows, here?.classes[0] ?? -1, model.get("target"));
    list.hidden = !shown.length;
    list.style.minHeight = before.classes.length < 5 ? "" : `calc(${ROWS + 1} * (1.45em + 1px))`; // as many as there will be
    list.setAttribute("role", "table");
    list.setAttribute("aria-label", "Most probable classes, now and before");
    const head = h("div", { role: "row" }, h("span", { className: "cw-kind", role: "columnheader" }, "class"), h("span", { role: "presentation" }),
      h("span", { className: "cw-head", role: "columnheader" }, "now"), h("span", { className: "cw-head cw-before", role: "columnheader" }, "before"));
    list.replaceChildren(head, ...shown.map((index) => row(index, before, here)));
    note.textContent = here?.far ? `≈ value of the nearest computed position, ${Math.round(here.far)} pixel${here.far < 1.5 ? "" : "s"} away` : "";
    root.dataset.exact = String(!here?.far);
  };

  const draw = drawer(root, paint);
  const ends = [
    listen(model, ["target", "before", "classes", "chances"], () => (rank(), draw())),
    listen(model, ["quantity", "share", "span", "names", "answer", "known", "values", "box"], draw),
    draw.stop,
  ];
  rank();
  draw();
  return () => ends.forEach((end) => end());
}

export default { render };
