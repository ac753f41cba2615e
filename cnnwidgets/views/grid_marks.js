// @ts-check
// What is drawn on a tile: `tile` is where it lies, [x, y, width, height].

/**
 * A map's number in its corner, to be read from afar.
 * @param {CanvasRenderingContext2D} context @param {number[]} tile @param {number} number
 */
export function drawNumber(context, [x, y, width], number) {
  const size = Math.max(13, Math.min(20, Math.round(width / 7)));
  Object.assign(context, { font: `600 ${size}px sans-serif`, textAlign: "left", fillStyle: "rgb(0 0 0 / 60%)" });
  context.fillRect(x, y, context.measureText(String(number)).width + 6, size + 3);
  context.fillStyle = "white";
  context.fillText(String(number), x + 3, y + size - 1);
}

/**
 * Thin lines between the parts of a map, so many down and to the right, where there is room.
 * @param {CanvasRenderingContext2D} context @param {number[]} tile @param {number[]} parts
 */
export function drawLines(context, [x, y, width, height], [down, right]) {
  if (width / right < 5) return;
  context.fillStyle = "#777";
  for (let i = 1; i < right; i++) context.fillRect(x + (i * width) / right - 0.5, y, 1, height);
  for (let i = 1; i < down; i++) context.fillRect(x, y + (i * height) / down - 0.5, width, 1);
}

/** @param {CanvasRenderingContext2D} context @param {number[]} tile @param {string} color */
export function drawCross(context, [x, y, width, height], color) {
  Object.assign(context, { strokeStyle: color, lineWidth: 1.5 });
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + width, y + height);
  context.moveTo(x + width, y);
  context.lineTo(x, y + height);
  context.stroke();
}
