// @ts-check
// Tables of numbers that follow from each other: to edit, to point at, to step through.

import { ARROWS, h, listen, once, put, stamp, watch } from "./shared.js";

const LONG_TEXT = 2.6; // characters beyond which a number is written smaller
const LONG_WAS = 3; // the same, for what was there before
const [RULED, PLAIN, SIGN, DOWN, NAME] = [36, 12, 42, 60, 80]; // pixels of a row that are no cells: of a column in a box, of one without, a sign's, of one inside a box, the row's name
const WIDE = 900; // CSS pixels from which on a row's name stands beside it, and what is in a box side by side

const longer = (text, most) => Math.max(1, text.length / most);

/** @param {import("./host").Host<import("./traits").NumberTables>} host */
function render({ model, el }) {
  const buttons = [["Start", "First step"], ["◀ Back", "One step back"], ["Next ▶", "Next step"], ["All", "All steps"]]
    .map(([text, title]) => h("button", { title, type: "button", className: text.startsWith("Next") ? "cw-primary" : "" }, text));
  const slider = h("input", { type: "range", min: 0, step: 1, "aria-label": "step" });
  const count = h("span", { className: "cw-stepcount" });
  const stepper = h("div", { className: "cw-tools" }, buttons[0], buttons[1], slider, buttons[2], buttons[3], count);
  const sentence = h("div", { className: "cw-sentence", role: "status", "aria-live": "polite" });
  const flow = h("div", { className: "cw-flow" });
  const line = h("div", { className: "cw-arithmetic", role: "status", "aria-live": "polite" });
  const root = h("div", { className: "cw cw-number-tables", "data-lm-suppress-shortcuts": "true" }, stepper, sentence, flow, line);
  el.append(root);
  let [tables, faces, built] = [[], [], ""]; // faces: by table, what of each cell takes the focus
  let [hovered, focused] = [null, null]; // [table, cell]

  const last = () => Math.max(0, model.get("steps").length - 1);
  const now = () => Math.max(0, Math.min(last(), model.get("step")));
  const goTo = (step) => {
    if (model.get("stepping") === "free") put(model, { step: Math.max(0, Math.min(last(), step)) });
  };
  const isShown = (k) => tables[k].step <= now();
  const isEditable = (k) => tables[k].editable && !model.get("lock");

  /** The elements, again only if other tables are to be shown: a cell keeps the focus while numbers change. */
  const build = () => {
    const form = JSON.stringify(tables.map(({ name, title, row, column, sign, values }, k) => [name, title, row, column, sign, values.length, isEditable(k)]));
    if (form === built) return;
    [built, hovered, focused] = [form, null, null];
    faces = tables.map((table, k) => table.values.map((_, cell) => faceOf(k, cell)));
    const rows = grouped(tables.map((_, k) => k), (k) => tables[k].row);
    fit();
    flow.replaceChildren(...rows.map((members) => h("section", { className: "cw-pass", "aria-label": tables[members[0]].row },
      h("div", { className: "cw-title" }, tables[members[0]].row),
      h("div", { className: "cw-side" }, ...grouped(members, (k) => tables[k].column || k).map(columnOf)))));
  };

  /** Let the cells be as large as the longest row of tables allows. */
  const fit = () => {
    const wide = root.clientWidth >= WIDE;
    const rows = grouped(tables.map((_, k) => k), (k) => tables[k].row);
    const widths = rows.map((members) => widthOf(grouped(members, (k) => tables[k].column || k), wide));
    root.classList.toggle("cw-wide", wide);
    root.style.setProperty("--across", Math.max(1, ...widths.map(([cells]) => cells)));
    root.style.setProperty("--beside", `${Math.max(0, ...widths.map(([, pixels]) => pixels)) + (wide ? NAME : 0)}px`);
  };

  /** The cells that stand side by side in a row of tables, and the pixels that are no cells. */
  const widthOf = (columns, wide) => columns.reduce(([cells, pixels], members) => {
    const [{ column, sign }, counts] = [tables[members[0]], members.map((k) => tables[k].columns)];
    const across = wide ? counts.reduce((a, b) => a + b) : Math.max(...counts);
    const between = wide ? (members.length - 1) * DOWN : 0;
    return [cells + across, pixels + (column ? RULED : PLAIN) + (sign ? SIGN : 0) + between + 2 * across];
  }, [0, 0]);

  const columnOf = (members) => {
    const { column, sign } = tables[members[0]];
    const heading = column ? [h("div", { className: "cw-heading" }, column)] : [];
    const parts = members.flatMap((k, n) => [...(n ? [h("div", { className: "cw-down", "aria-hidden": "true" }, tables[k].sign)] : []),
      h("div", { className: "cw-part" }, h("div", { className: "cw-caption" }, tables[k].title), gridOf(k))]);
    const box = h("div", { className: column ? "cw-column cw-boxed" : "cw-column" }, ...heading, h("div", { className: "cw-parts" }, ...parts));
    return sign ? h("div", { className: "cw-joined" }, h("span", { className: "cw-sign", "aria-hidden": "true" }, sign), box) : box;
  };

  const gridOf = (k) => {
    const { title, column, columns, values } = tables[k];
    const rows = Array.from({ length: values.length / columns }, (_, i) => h("tr", {},
      ...faces[k].slice(i * columns, (i + 1) * columns).map((face) => face.parentElement)));
    return h("table", { role: "grid", "aria-label": column ? `${column}: ${title}` : title, "data-name": tables[k].name }, h("tbody", {}, ...rows));
  };

  const faceOf = (k, cell) => {
    const editable = isEditable(k);
    const face = editable
      ? h("input", { type: "text", inputMode: "decimal", readOnly: true, spellcheck: false, autocomplete: "off" })
      : h("span", { tabIndex: -1 });
    face.tabIndex = cell ? -1 : 0;
    const box = h("td", { role: "gridcell", className: editable ? "cw-editable" : "" }, face, h("s", { className: "cw-struck", "aria-hidden": "true" }));
    box.addEventListener("pointerenter", () => (hovered = [k, cell], point()));
    box.addEventListener("pointerleave", () => (hovered = null, point()));
    face.addEventListener("focus", () => {
      faces[k].forEach((other) => (other.tabIndex = other === face ? 0 : -1));
      focused = [k, cell];
      point();
    });
    face.addEventListener("blur", () => {
      take(k, cell);
      focused = null;
      point();
    });
    face.addEventListener("click", () => (editable && face.readOnly ? edit(k, cell) : face.focus()));
    face.addEventListener("input", () => box.style.setProperty("--long", longer(face.value, LONG_TEXT)));
    face.addEventListener("keydown", (event) => press(event, k, cell));
    return face;
  };

  /** Let a hand write a number. */
  const edit = (k, cell, text) => {
    if (!isShown(k)) return;
    const face = faces[k][cell];
    face.readOnly = false;
    face.value = text ?? String(tables[k].values[cell]);
    face.parentElement.style.setProperty("--long", longer(face.value, LONG_TEXT));
    face.focus();
    if (text === undefined) face.select();
  };

  /** What was written is asked for; it is shown until the answer comes. */
  const take = (k, cell) => {
    const face = faces[k][cell];
    if (face.readOnly !== false) return;
    face.readOnly = true;
    const text = face.value.trim();
    const { name, columns, values } = tables[k];
    if (text === String(values[cell])) return paint();
    model.send({ kind: "edit", table: name, row: Math.floor(cell / columns), column: cell % columns, text });
  };

  const press = (event, k, cell) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const face = faces[k][cell];
    if (face.readOnly === false) { // being edited
      if (key === "Enter") take(k, cell);
      else if (key === "Escape") face.readOnly = true, paint();
      else return;
    } else if (isEditable(k) && (key === "Enter" || key === "F2")) edit(k, cell);
    else if (isEditable(k) && /^[-−+.,\d]$/.test(key)) edit(k, cell, key);
    else {
      const { columns, values } = tables[k];
      const [i, j] = [Math.floor(cell / columns), cell % columns];
      const [down, right] = ARROWS[key] ?? { Home: [0, -j], End: [0, columns - 1 - j] }[key] ?? [];
      if (down === undefined) return;
      const to = [Math.max(0, Math.min(values.length / columns - 1, i + down)), Math.max(0, Math.min(columns - 1, j + right))];
      faces[k][to[0] * columns + to[1]].focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };

  /** Frame the cells that the one which is pointed at comes from, and say how. */
  const point = () => {
    const at = [hovered, focused].find((one) => one && isShown(one[0]));
    faces.forEach((cells) => cells.forEach((face) => face.parentElement.classList.remove("cw-here", "cw-from")));
    if (at) {
      const [k, cell] = at;
      faces[k][cell].parentElement.classList.add("cw-here");
      (tables[k].sources[cell] ?? []).forEach(([source, from]) => faces[source][from].parentElement.classList.add("cw-from"));
    }
    const change = tables.some((_, k) => isEditable(k)) ? " Click a dashed one to change it." : "";
    line.textContent = at ? tables[at[0]].says[at[1]] ?? "" : `Hover over a number to see where it comes from.${change}`;
    stamp(root);
  };

  const paint = () => {
    tables = model.get("tables");
    build();
    const limit = Math.max(1e-300, ...tables.flatMap(({ values }) => values.map(Math.abs)));
    tables.forEach((table, k) => {
      const [grid, shown] = [faces[k][0].closest("table"), isShown(k)];
      grid.classList.toggle("cw-now", table.step === now() && now() > 0);
      grid.classList.toggle("cw-later", !shown);
      const box = grid.closest(".cw-column");
      box.classList.toggle("cw-is-now", !!box.querySelector(".cw-now"));
      table.values.forEach((value, cell) => {
        const [face, box] = [faces[k][cell], faces[k][cell].parentElement];
        const text = shown ? table.texts[cell] : "";
        const was = shown ? table.was[cell] : "";
        if (face.readOnly !== false) face[face.tagName === "INPUT" ? "value" : "textContent"] = text;
        box.style.setProperty("--long", longer(text, LONG_TEXT));
        box.style.setProperty("--was-long", longer(was, LONG_WAS));
        box.style.setProperty("--tint", shown && value ? `${Math.round(14 + (36 * Math.abs(value)) / limit)}%` : "0%");
        box.style.setProperty("--sign", `var(--cw-${value < 0 ? "negative" : "positive"})`);
        box.classList.toggle("cw-zeroed", was !== "");
        box.lastChild.textContent = was;
        const place = `row ${Math.floor(cell / table.columns) + 1}, column ${(cell % table.columns) + 1}`;
        face.setAttribute("aria-label", `${place}: ${shown ? text : "not yet"}${was ? `, set to 0, was ${was}` : ""}`);
      });
    });
    stepper.hidden = model.get("stepping") === "hidden" || !last();
    [slider, ...buttons].forEach((control) => (control.disabled = model.get("stepping") !== "free"));
    Object.assign(slider, { max: last(), value: now() });
    buttons.forEach((button, n) => button.setAttribute("aria-disabled", String(n < 2 ? now() === 0 : now() === last())));
    count.textContent = `step ${now() + 1} of ${last() + 1}`;
    sentence.textContent = model.get("steps")[now()] ?? "";
    point();
  };

  [() => 0, () => now() - 1, () => now() + 1, last].forEach((to, n) => buttons[n].addEventListener("click", () => goTo(to())));
  slider.addEventListener("input", () => goTo(Number(slider.value)));
  root.addEventListener("keydown", (event) => {
    const by = { PageDown: 1, PageUp: -1 }[event.key];
    if (!by) return;
    goTo(now() + by);
    event.preventDefault();
    event.stopPropagation();
  });

  const ends = [listen(model, ["tables", "steps", "step", "stepping", "lock"], once(paint)), watch(root, fit)];
  model.on("msg:custom", paint);
  paint();
  return () => {
    ends.forEach((end) => end());
    model.off("msg:custom", paint);
  };
}

/** Neighbors of the same key, together. */
function grouped(items, keyOf) {
  return items.reduce((groups, item) => {
    const before = groups.at(-1);
    if (before && keyOf(before[0]) === keyOf(item)) before.push(item);
    else groups.push([item]);
    return groups;
  }, []);
}

export default { render };
