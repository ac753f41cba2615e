// @ts-check
// A plotly figure: drawn, themed, thinned, and what lies over it.

import { useBox } from "./chart_box.js";
import { curvesOf, drawnOf, figureOf, keepAppended } from "./chart_curves.js";
import { useEnds } from "./chart_ends.js";
import { useKnots } from "./chart_knots.js";
import { plotly } from "./chart_library.js";
import { eachFrame, useLine } from "./chart_line.js";
import { usePlaces } from "./chart_places.js";
import { useReadout } from "./chart_readout.js";
import { ARROWS, h, listen, once, put, stamp, watch } from "./shared.js";

const NARROW = 480; // CSS pixels below which a legend goes under the curves
const TITLED = 330; // CSS pixels below which a title and its hint are two lines

function initialize({ model, held }) {
  keepAppended(model, held);
}

/** @param {import("./host").Host<import("./traits").ChartView>} host */
function render({ model, el }) {
  const plot = h("div", { className: "cw-plot" });
  const note = h("div", { className: "cw-note", role: "status", hidden: true });
  const layer = h("div", { className: "cw-over" });
  const area = h("div", { className: "cw-area" }, plot, layer);
  const line = h("div", { className: "cw-line cw-readout", "aria-live": "polite" });
  const root = h("div", { className: "cw cw-chart", "data-lm-suppress-shortcuts": "true" }, note, area, line);
  el.append(root);
  const ends = [];
  let library = null, ended = false, again = 0, busy = false, missed = false;
  let figure = null, curves = [], kept = []; // as drawn, or as they are being drawn
  let newFigure = true, newCurves = true, figures = 0, draws = 0, drawn = null;

  const chart = {
    curves: () => curves,
    plots: () => Object.values(plot._fullLayout?._plots ?? {}),
    place: (curve) => {
      const { xaxis = "x", yaxis = "y" } = curves[curve]?.trace ?? {};
      return curves[curve]?.x && plot._fullData?.[curve]?.visible === true && chart.plots().find(({ id }) => id === xaxis + yaxis);
    },
    /** What an axis is called, or one that shows the same. */
    title: ({ _name, _id }) => {
      const of = (name) => figure.layout[name]?.title?.text;
      return of(_name) ?? of(figure.layout[_name]?.matches?.replace(/^./, "$&axis")) ?? _id[0];
    },
    /** The curves in a subplot that the readout tells. */
    told: (subplot) => curves.flatMap(({ trace, ...numbers }, i) => {
      const shown = plot._fullData[i];
      if (!numbers.x || !trace.name || trace.hoverinfo === "skip" || shown?.visible !== true) return [];
      const [x, y] = [subplot.xaxis, subplot.yaxis];
      if ((trace.xaxis ?? "x") !== x._id || (trace.yaxis ?? "y") !== y._id) return [];
      const color = shown.mode.includes("lines") ? shown.line.color : shown.marker.color;
      return { ...numbers, name: trace.name, color: typeof color === "string" ? color : "currentColor" };
    }),
    ranges: () => Object.fromEntries(chart.plots().flatMap(({ xaxis, yaxis }) => [xaxis, yaxis]).map((axis) => [axis._name, [...axis.range]])),
    redraw: (anew = false) => {
      newCurves ||= anew;
      ask();
    },
  };
  const knots = useKnots(layer, model, chart);
  const places = usePlaces(layer, model, chart);
  const rule = useLine(layer, model, chart);
  const names = useEnds(layer, model, chart);
  const readout = useReadout(layer, line, chart);
  const place = (event) => {
    const box = layer.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const box = useBox(area, layer, model, chart, place);
  const editable = () => model.get("draggable").length > 0 && !model.get("fixed");

  const layout = () => {
    const style = getComputedStyle(root);
    const color = style.getPropertyValue("--cw-line").trim() || "#8886";
    const axis = { gridcolor: color, zerolinecolor: color, linecolor: color, automargin: true };
    const held = knots.ranges() ?? {};
    const themed = Object.fromEntries(Object.entries({ xaxis: {}, yaxis: {}, ...figure.layout }).map(([key, value]) => [key,
      /^[xy]axis/.test(key) ? { ...axis, ...value, ...(held[key] && { range: held[key], autorange: false }) } : value]));
    return {
      margin: { l: 50, r: 12, t: isTall() ? 50 : 36, b: 40 }, width: plot.clientWidth, height: model.get("height"), hovermode: "closest", uirevision: revision(),
      ...(root.clientWidth < NARROW && { legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom" } }),
      ...((editable() || model.get("boxable")) && { dragmode: false }),
      ...themed,
      ...(figure.layout.title && { title: hinted(figure.layout.title) }),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", datarevision: ++draws,
      font: { color: style.color, size: parseFloat(style.getPropertyValue("--cw-size")) || 13, ...figure.layout.font },
    };
  };

  /** The title, and what a click does, where one does anything. */
  const hint = () => (model.get("fixed") ? "" : model.get("hint"));
  const isTall = () => hint() !== "" && root.clientWidth < TITLED;
  const hinted = (title) => {
    return hint() && title.text ? { ...title, text: `${title.text}${isTall() ? "<br>" : " "}(${hint()})` } : title;
  };

  /** Figures with the same one keep what was zoomed to. */
  const revision = () => figure.layout.uirevision ?? figures;
  /** What is visible of an axis: what was zoomed to, or what the figure says; null for all. */
  const rangeOf = (name) => {
    const axis = drawn === revision() ? plot._fullLayout?.[name] : null;
    return (axis && !axis.autorange ? axis.range : figure.layout[name]?.range) ?? null;
  };
  const traces = () => {
    const parts = curves.map((curve) => {
      if (!curve.x) return { trace: { ...curve.trace } };
      const [x, y] = ["x", "y"].map((letter) => `${letter}axis${(curve.trace[`${letter}axis`] ?? letter).slice(1)}`);
      const [logX, logY] = [x, y].map((name) => figure.layout[name]?.type === "log");
      return drawnOf(curve, rangeOf(x), root.clientWidth, logX, logY);
    });
    kept = parts.map((part) => part.kept);
    const marked = model.get("marked");
    for (const { trace } of parts) if (trace.selected) trace.selectedpoints = marked < 0 ? null : [marked];
    if (model.get("readout")) {
      for (const { trace } of parts) if (!trace.hovertemplate) trace.hoverinfo ??= "none"; // the readout tells it
    }
    return parts.map((part) => part.trace);
  };

  const pointOf = ({ points: [point] }) => {
    const index = point.pointIndex ?? point.pointNumber;
    return [point.curveNumber, ...[kept[point.curveNumber]?.[index] ?? index].flat()];
  };
  const drawOver = () => [knots, places, rule, names, box, readout].forEach((part) => part.draw());
  const attach = () => {
    plot.removeAllListeners?.(); // plotly forgets them itself where the configuration changed
    plot.on("plotly_click", (event) => model.get("fixed") || put(model, { clicked: pointOf(event) }));
    plot.on("plotly_hover", (event) => put(model, { hovered: pointOf(event) }));
    plot.on("plotly_unhover", () => put(model, { hovered: [] }));
    plot.on("plotly_relayout", ask);
    plot.on("plotly_relayouting", drawOver); // an axis is being dragged
    plot.on("plotly_restyle", drawOver); // a curve was hidden in the legend
  };

  const tellRole = () => {
    const hands = model.get("readout") || editable() || model.get("line") !== null || model.get("boxable");
    root.setAttribute("role", hands ? "group" : "img"); // what is in an image is not told
  };
  const describe = () => root.setAttribute("aria-label", model.get("description"));
  const prepare = () => {
    tellRole();
    line.hidden = !model.get("readout");
    if (line.hidden) root.removeAttribute("tabindex");
    else root.tabIndex = 0;
    if (newFigure) {
      figure = figureOf(model.get("figure"), model.get("columns"));
      [newFigure, newCurves, figures] = [false, true, figures + 1];
    }
    return figure && root.clientWidth > 0;
  };
  const load = async () => {
    try {
      library ??= await plotly(model, ends);
    } catch (error) {
      note.textContent = `No chart yet: ${error.message}.`;
      if (!ended) again = window.setTimeout(paint, 1000); // a kernel that runs a cell may not answer until that ends
    }
    note.hidden = library !== null;
    return library !== null && !ended;
  };
  const legendHeight = () => plot._fullLayout?.legend?._height;
  const draw = async () => {
    if (!prepare() || !(await load()) || !prepare()) return; // another figure may have come while the library did
    if (newCurves) curves = curvesOf(figure, model.get("appended"), model.get("draggable"));
    newCurves = false;
    knots.hold(curves);
    const config = { displaylogo: false, displayModeBar: false, doubleClick: editable() || model.get("boxable") ? false : "reset+autosize" };
    const data = traces();
    drawn = revision();
    const rows = legendHeight();
    await library.react(plot, data, layout(), config);
    if (rows && rows !== legendHeight()) await library.react(plot, data, layout(), config); // plotly places it by its old height
    if (ended) return;
    attach();
    drawOver();
    stamp(root);
  };
  /** Draw, or draw again after what is being drawn. */
  const paint = async () => {
    missed = busy;
    if (busy) return;
    busy = true;
    try {
      await draw();
    } finally {
      busy = false;
      if (ended) library?.purge(plot);
      else if (missed) ask();
    }
  };
  const ask = eachFrame(() => !ended && paint());

  area.addEventListener("pointermove", (event) => model.get("readout") && readout.point(...place(event)));
  area.addEventListener("pointerleave", readout.clear);
  area.addEventListener("click", (event) => { // plotly's cover swallows dblclick
    if (event.detail === 2 && editable()) knots.add(...place(event));
  });
  root.addEventListener("keydown", (event) => {
    const by = event.target === root && ARROWS[event.key]?.[1];
    if (!by || line.hidden) return;
    event.preventDefault();
    event.stopPropagation();
    readout.step(by * (event.shiftKey ? 10 : 1));
  });

  const takeFigure = once(() => {
    newFigure = true;
    knots.answered();
    paint();
  });
  const takeAppended = (message) => message?.kind === "extend" && chart.redraw(true);
  model.on("msg:custom", takeAppended);
  ends.push(
    () => model.off("msg:custom", takeAppended),
    listen(model, ["figure"], takeFigure),
    listen(model, ["appended", "draggable"], () => chart.redraw(true)),
    listen(model, ["marked", "height", "readout", "fixed", "hint", "places", "ended", "boxable"], ask),
    listen(model, ["box"], box.draw),
    box.end,
    listen(model, ["description"], describe),
    listen(model, ["line", "line_label"], () => (tellRole(), rule.draw())),
    watch(root, paint),
  );
  describe();
  takeFigure();
  return () => {
    ended = true;
    clearTimeout(again);
    [...ends].forEach((end) => end());
    if (!busy) library?.purge(plot);
  };
}

export default { initialize, render };
