// @ts-check
// Pictures that come faster than a panel answers: one at a time is with the kernel, and of those that wait the newest is next.

import { newId } from "./values.js";

/** The file of what a canvas shows. */
export const fileOf = (canvas, type) => new Promise((done, fail) =>
  canvas.toBlob((file) => (file ? done(file.arrayBuffer()) : fail(new Error("the browser makes no picture of it"))), type, 0.92));

/**
 * @param hand `send(message, buffers)`, `get(trait)` and `hear(traits, action)`, as a field has them
 * @param {string} type the type of the files
 */
export function pictureFeed(hand, type) {
  let [key, waiting] = ["", null]; // of the picture that is not answered yet; a canvas

  const send = async (canvas) => {
    waiting = null;
    const mine = (key = newId());
    const file = await fileOf(canvas, type);
    if (key === mine) hand.send({ kind: "picture", key }, [file]); // else a newer one is on its way
  };
  hand.hear(["_answered"], () => {
    if (!key || hand.get("_answered") !== key) return;
    key = "";
    if (waiting) send(waiting);
  });
  return {
    /** Whether there is a picture without an answer. */
    get isBusy() { return key !== ""; },
    /** Give a picture; the last of a stroke does not wait for the answer to a part of it. */
    give(canvas, isLast) {
      if (key && !isLast) waiting = canvas;
      else send(canvas);
    },
  };
}
