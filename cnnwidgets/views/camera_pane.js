// @ts-check
// A camera: asked for by the browser when a hand starts it, mirrored as in a mirror, frozen, and let go of.

import { h, hasFocus, stamp } from "./shared.js";

const BETWEEN = 50; // milliseconds between two pictures at least
const IDLE = "Your browser will ask for permission. The pictures go only to this notebook's kernel.";
const INSECURE = "The browser allows a camera only to pages from localhost or over HTTPS. Open the notebook that way.";
const REFUSALS = {
  NotAllowedError: "The camera was blocked. Allow it for this page in the address bar, and start again.",
  NotFoundError: "No camera was found. Connect one and start again, or choose, drop or paste a picture.",
  NotReadableError: "The camera is in use. Close the program that uses it, and start again.",
};

/** Why there is no camera, in a sentence. */
export const cameraRefusal = (error) => REFUSALS[error?.name] ?? `The camera did not start: ${error?.message || error}.`;

/**
 * A camera's picture in the middle of what it sees, with its buttons. `take(canvas, isLast)` is called for one
 * whenever `wants()`, and for the one that is frozen.
 *
 * @param {number[]} shape [height, width] of the picture
 */
export function cameraPane(shape, { take, wants }) {
  const [height, width] = shape;
  const canvas = h("canvas", { className: "cw-camera-picture", role: "img", "aria-label": "Camera picture", width, height });
  canvas.style.aspectRatio = `${width} / ${height}`;
  const context = canvas.getContext("2d");
  const video = h("video", { muted: true, playsInline: true });
  const start = h("button", { type: "button" }, "Start camera");
  const freeze = h("button", { type: "button" }, "Freeze");
  const mirror = h("button", { type: "button", "aria-pressed": "true" }, "Mirror");
  const stop = h("button", { type: "button" }, "Stop");
  const line = h("div", { className: "cw-line", role: "status" }, IDLE);
  const tools = h("div", { className: "cw-camera-tools" }, start, freeze, mirror, stop, line);
  const root = h("div", { className: "cw-camera-pane" }, canvas, tools);
  let [state, stream, asked, frame, last, mirrored] = ["off", null, 0, 0, 0, true];

  const show = (now, words = "") => {
    const focused = hasFocus(tools);
    state = root.dataset.state = now;
    canvas.hidden = now !== "live" && now !== "frozen";
    start.hidden = now === "live" || now === "frozen";
    freeze.hidden = stop.hidden = !start.hidden;
    mirror.hidden = now !== "live";
    freeze.textContent = now === "frozen" ? "Live" : "Freeze";
    line.textContent = words;
    if (focused) (start.hidden ? freeze : start).focus(); // for the button that had it may be gone
  };
  const draw = () => {
    const scale = Math.max(width / video.videoWidth, height / video.videoHeight);
    const [wide, tall] = [video.videoWidth * scale, video.videoHeight * scale];
    context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? width : 0, 0);
    context.drawImage(video, (width - wide) / 2, (height - tall) / 2, wide, tall);
    stamp(canvas);
  };
  const go = () => {
    frame = requestAnimationFrame(go);
    if (state !== "live" || !video.videoWidth) return;
    draw();
    const now = performance.now();
    if (now - last < BETWEEN || !wants()) return;
    last = now;
    take(canvas, false);
  };
  const letGo = (given) => given?.getTracks().forEach((track) => track.stop());
  const begin = async () => {
    if (state === "asking") return;
    if (!navigator.mediaDevices?.getUserMedia) return show("off", INSECURE);
    const mine = ++asked;
    show("asking", "Waiting for your permission …");
    try {
      const given = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 } } });
      if (mine !== asked) return letGo(given); // the sheet was closed meanwhile
      stream = given;
      stream.getVideoTracks()[0].addEventListener("ended", () => mine === asked && end("The camera was switched off."));
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      return mine === asked && end(cameraRefusal(error));
    }
    if (mine !== asked) return;
    show("live");
    go();
  };
  const end = (words = IDLE) => {
    asked++;
    cancelAnimationFrame(frame);
    letGo(stream);
    stream = video.srcObject = null;
    show("off", words);
  };
  start.addEventListener("click", begin);
  stop.addEventListener("click", () => end());
  freeze.addEventListener("click", () => {
    show(state === "live" ? "frozen" : "live");
    if (state === "frozen") take(canvas, true);
  });
  mirror.addEventListener("click", () => {
    mirrored = !mirrored;
    mirror.setAttribute("aria-pressed", String(mirrored));
  });
  show("off", IDLE);
  return { root, end };
}
