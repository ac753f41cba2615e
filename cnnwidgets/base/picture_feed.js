// @ts-check
// Pictures that come faster than a panel answers: one at a time is with the kernel, and of those that wait the newest is next.

import { pixelBytes } from "../views/shared.js";
import { newId } from "./values.js";

/** A canvas' (height, width, 3) bytes, deflated: of a drawing little is left, and a browser takes its time for a file. */
function deflated(canvas) {
  const { readable, writable } = new CompressionStream("deflate");
  const writer = writable.getWriter();
  writer.write(pixelBytes(canvas));
  writer.close();
  return new Response(readable).arrayBuffer();
}

/** @param hand `send(message, buffers)`, `get(trait)` and `hear(traits, action)`, as a field has them */
export function pictureFeed(hand) {
  let [key, waiting] = ["", null]; // of the picture that is not answered yet; a canvas

  const send = async (canvas) => {
    waiting = null;
    const mine = (key = newId());
    const pixels = await deflated(canvas);
    if (key === mine) hand.send({ kind: "picture", key, shape: [canvas.height, canvas.width] }, [pixels]); // else a newer one goes
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
