// @ts-check
// Handles over the points of draggable curves: dragged by mouse or touch, moved by arrow keys, added and removed.

import { clamp, eachFrame, pixelsOf, useDrag } from "./chart_line.js";
import { valueOn } from "./chart_readout.js";
import { h, put } from "./shared.js";

const SETTLE = 1000; // ms in which figures that the kernel made before the hand let go may still come

/** `chart` gives `curves()`, the `place(curve)` of one in a drawn subplot, `ranges()` of all axes, and `redraw()`. */
export function useKnots(layer, model, chart) {
  const handles = [];
  let hand = null; // the point that a hand has, or had last: { curve, point, x, y, ranges, until, answered }

  const points = () => model.get("fixed") ? [] : model.get("draggable").flatMap((curve) =>
    Array.from(chart.curves()[curve]?.x ?? [], (_, point) => [curve, point]));
  const pixels = (curve, point) => {
    const { xaxis, yaxis } = chart.place(curve);
    const { x, y } = chart.curves()[curve];
    return [xaxis.d2p(x[point]), yaxis.d2p(y[point])];
  };
  const send = () => hand && put(model, { dragged: [hand.curve, hand.point, hand.x, hand.y] });
  const sendSoon = eachFrame(send);

  /** Move a point to a place in its subplot: within the axes, and by a pixel apart from its neighbors. */
  const move = (curve, point, left, top) => {
    const { xaxis, yaxis } = chart.place(curve);
    const { x } = chart.curves()[curve];
    const beside = [point - 1, point + 1].map((i) => (i in x ? xaxis.d2p(x[i]) : NaN));
    const [low, high] = [Math.max(0, beside[0] + 1 || 0), Math.min(xaxis._length, beside[1] - 1 || Infinity)];
    hand = { ...hand, curve, point, x: xaxis.p2d(low > high ? left : clamp(left, low, high)), y: yaxis.p2d(clamp(top, 0, yaxis._length)) };
    chart.redraw();
  };
  const drop = () => {
    if (!hand) return;
    send();
    const settled = (hand = { ...hand, ranges: null, until: performance.now() + SETTLE });
    setTimeout(() => { if (hand === settled && hand.answered) forget(); }, SETTLE);
    chart.redraw();
  };
  const forget = () => {
    hand = null;
    chart.redraw(true);
  };
  const remove = (curve, point) => {
    hand = null;
    put(model, { removed: [curve, point] });
  };

  function handle() {
    const element = h("div", { className: "cw-knot", role: "slider", tabIndex: 0 });
    const own = () => JSON.parse(element.dataset.point);
    useDrag(element, {
      grab: () => {
        hand = null;
        return pixels(...own());
      },
      move: (left, top) => {
        hand ??= { ranges: chart.ranges() };
        move(...own(), left, top);
        sendSoon();
      },
      drop: (moved) => (moved ? drop() : put(model, { clicked: own() })),
    });
    element.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") return event.stopPropagation(), remove(...own());
      const by = pixelsOf(event);
      if (!by) return;
      const [left, top] = pixels(...own());
      hand = null;
      move(...own(), left + by[0], top + by[1]);
      drop();
    });
    element.addEventListener("click", (event) => {
      event.stopPropagation(); // it asks for no other point
      if (event.detail === 2) remove(...own());
    });
    element.addEventListener("pointerenter", () => put(model, { hovered: own() }));
    element.addEventListener("pointerleave", () => put(model, { hovered: [] }));
    layer.append(element);
    return element;
  }

  return {
    /** A figure has come from the kernel. */
    answered() {
      if (hand?.until < performance.now()) hand = null;
      else if (hand) hand.answered = true;
    },
    /** Put the point that a hand has into curves that know nothing of it. */
    hold(curves) {
      const { x, y } = curves[hand?.curve] ?? {};
      if (!x || hand.point >= x.length) return;
      [x[hand.point], y[hand.point]] = [hand.x, hand.y];
    },
    /** The ranges of axes that stay while a hand drags, or null. */
    ranges: () => hand?.ranges ?? null,
    draw() {
      const wanted = points().filter(([curve]) => chart.place(curve));
      while (handles.length < wanted.length) handles.push(handle());
      handles.splice(wanted.length).forEach((element) => element.remove());
      wanted.forEach(([curve, point], i) => {
        const { xaxis, yaxis } = chart.place(curve);
        const [left, top] = pixels(curve, point);
        const { x, y, trace } = chart.curves()[curve];
        handles[i].dataset.point = JSON.stringify([curve, point]);
        handles[i].hidden = !(left >= -1 && left <= xaxis._length + 1 && top >= -1 && top <= yaxis._length + 1);
        Object.assign(handles[i].style, { left: `${xaxis._offset + left}px`, top: `${yaxis._offset + top}px` });
        handles[i].setAttribute("aria-label", `${trace.name ?? "point"} ${point + 1}`);
        handles[i].setAttribute("aria-valuenow", y[point]);
        handles[i].setAttribute("aria-valuetext", `${valueOn(xaxis, x[point])}, ${valueOn(yaxis, y[point])}`);
      });
    },
    /** Ask for a point at a place in the layer. */
    add(left, top) {
      const plot = chart.place(model.get("draggable")[0]);
      if (!plot) return;
      const [across, down] = [left - plot.xaxis._offset, top - plot.yaxis._offset];
      if (across < 0 || down < 0 || across > plot.xaxis._length || down > plot.yaxis._length) return;
      hand = null;
      put(model, { added: [plot.xaxis.p2d(across), plot.yaxis.p2d(down)] });
    },
  };
}
