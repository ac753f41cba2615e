// @ts-check
// A drawing: strokes, of which the last can be taken back. To wipe the paper is a stroke, too.

/** Strokes that can be taken back; older ones stay. */
export const MOST_STROKES = 200;

/**
 * Strokes that are drawn on a canvas as they come. A stroke is drawn in the same pieces whenever it is drawn, so that the
 * pixels are the same after another one was taken back.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {() => void} blank draws what lies below all strokes
 */
export function strokesOn(context, blank) {
  let strokes = []; // { color, width, points }, or null where the paper was wiped
  let below = blank; // what was there before them

  const line = ({ color, width }, from, to) => {
    Object.assign(context, { strokeStyle: color, fillStyle: color, lineWidth: width, lineCap: "round" });
    context.beginPath();
    if (from === to) context.arc(to[0], to[1], width / 2, 0, 2 * Math.PI);
    else context.moveTo(from[0], from[1]);
    if (from === to) return context.fill();
    context.lineTo(to[0], to[1]);
    context.stroke();
  };
  const draw = (stroke) => (stroke ? stroke.points.forEach((to, k) => line(stroke, stroke.points[Math.max(0, k - 1)], to)) : blank());
  const drawAll = () => {
    below();
    strokes.forEach(draw);
  };

  /** The oldest stroke can no longer be taken back: it becomes part of what is below. */
  const settle = () => {
    below();
    draw(strokes.shift());
    const { width, height } = context.canvas;
    const kept = context.getImageData(0, 0, width, height);
    below = () => context.putImageData(kept, 0, 0);
    strokes.forEach(draw);
  };
  const add = (stroke) => {
    if (strokes.length === MOST_STROKES) settle();
    strokes.push(stroke);
  };

  return {
    /** How many strokes are on the paper since it was wiped. */
    get count() { return strokes.length - 1 - strokes.lastIndexOf(null); },
    get canUndo() { return strokes.length > 0; },
    begin(color, width, point) {
      add({ color, width, points: [point] });
      draw(strokes.at(-1));
    },
    extend(point) {
      const stroke = strokes.at(-1);
      line(stroke, stroke.points.at(-1), point);
      stroke.points.push(point);
    },
    undo() {
      strokes.pop();
      drawAll();
    },
    clear() {
      add(null);
      blank();
    },
    /** Begin anew, on what is blank now. */
    reset() {
      strokes = [];
      below = blank;
      blank();
    },
  };
}
