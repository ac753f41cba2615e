// @ts-check
// A box over the first subplot: drawn by dragging, or by keys.

import { clamp, pixelsOf } from "./chart_line.js";
import { valueOn } from "./chart_readout.js";
import { h, put } from "./shared.js";

const MOVED = 4; // CSS pixels; what moves less is a click
const HOW = "Enter draws one, arrow keys move it, Shift with arrow keys resizes it, Delete removes it";

/** The box that `box` has the corners of; it is drawn in `area`, where `place(event)` says where the pointer is. */
export function useBox(area, layer, model, chart, place) {
  const frame = h("div", { className: "cw-frame", role: "group", tabIndex: 0, hidden: true });
  layer.append(frame);
  let hand = null; // while a hand draws: where it began and where it is, in pixels of the subplot

  const allowed = () => model.get("boxable") && !model.get("fixed");
  /** Left, top, right and bottom in pixels of the subplot; null for none. */
  const edges = ({ xaxis, yaxis }) => {
    const [x0, y0, x1, y1] = model.get("box");
    const corners = hand ?? (y1 === undefined ? null : [[xaxis.d2p(x0), yaxis.d2p(y0)], [xaxis.d2p(x1), yaxis.d2p(y1)]]);
    if (!corners) return null;
    const [across, down] = [0, 1].map((k) => corners.map((corner) => clamp(corner[k], 0, k ? yaxis._length : xaxis._length)));
    return [Math.min(...across), Math.min(...down), Math.max(...across), Math.max(...down)];
  };
  const draw = () => {
    const [plot] = chart.plots();
    const found = plot && edges(plot);
    frame.hidden = !plot || !(allowed() || found);
    area.classList.toggle("cw-boxable", allowed());
    if (frame.hidden) return;
    const { xaxis, yaxis } = plot;
    const [left, top, right, bottom] = found ?? [0, 0, xaxis._length, yaxis._length];
    Object.assign(frame.style, {
      left: `${xaxis._offset + left}px`, top: `${yaxis._offset + top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
    });
    frame.classList.toggle("cw-drawn", found !== null);
    frame.tabIndex = allowed() ? 0 : -1;
    const ends = (axis, from, to) => `${chart.title(axis)} ${valueOn(axis, axis.p2d(from))} to ${valueOn(axis, axis.p2d(to))}`;
    const told = found ? `${ends(xaxis, left, right)}, ${ends(yaxis, bottom, top)}` : "none";
    frame.setAttribute("aria-label", `Box: ${told}${allowed() ? `. ${HOW}` : ""}`);
  };
  /** @param {any} edges */
  const send = ([left, top, right, bottom]) => {
    const { xaxis, yaxis } = chart.plots()[0];
    const [x, y] = [[left, right].map((at) => xaxis.p2d(at)), [top, bottom].map((at) => yaxis.p2d(at))];
    put(model, { box: [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)] });
    draw();
  };
  /** Where the pointer is in the subplot. */
  const within = (event) => {
    const { xaxis, yaxis } = chart.plots()[0];
    const [x, y] = place(event);
    return [x - xaxis._offset, y - yaxis._offset];
  };
  /** @param {any} at */
  const isInside = ([x, y]) => {
    const { xaxis, yaxis } = chart.plots()[0];
    return x >= 0 && y >= 0 && x <= xaxis._length && y <= yaxis._length;
  };

  let from = null;
  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !allowed() || !chart.plots().length || layer.contains(event.target)) return;
    const at = within(event);
    if (isInside(at)) from = at;
  });
  const move = (event) => {
    if (!from) return;
    const at = within(event);
    if (!hand && Math.hypot(at[0] - from[0], at[1] - from[1]) < MOVED) return;
    hand = [from, at];
    draw();
  };
  const drop = (event) => {
    move(event);
    const found = hand && edges(chart.plots()[0]);
    from = hand = null;
    if (found) send(found);
  };
  window.addEventListener("pointermove", move); // plotly covers the page while it is pressed
  window.addEventListener("pointerup", drop);
  area.addEventListener("click", (event) => {
    if (event.detail === 2 && allowed() && isInside(within(event))) remove();
  });
  const remove = () => {
    put(model, { box: [] });
    draw();
  };
  frame.addEventListener("keydown", (event) => {
    const { xaxis, yaxis } = chart.plots()[0];
    const [wide, high] = [xaxis._length, yaxis._length];
    const at = edges(chart.plots()[0]);
    if (["Delete", "Backspace", "Escape"].includes(event.key) && at) remove();
    else if (["Enter", " "].includes(event.key) && !at) send([wide / 4, high / 4, (3 * wide) / 4, (3 * high) / 4]);
    else if (at && event.key.startsWith("Arrow")) {
      const resize = event.shiftKey;
      const [x, y] = pixelsOf(event).map((by) => (resize ? by / 2 : 2 * by));
      const [left, top, right, bottom] = at;
      if (resize) send([left, top, clamp(right + x, left + MOVED, wide), clamp(bottom + y, top + MOVED, high)]);
      else {
        const [across, down] = [clamp(x, -left, wide - right), clamp(y, -top, high - bottom)];
        send([left + across, top + down, right + across, bottom + down]);
      }
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    draw,
    end() {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", drop);
    },
  };
}
