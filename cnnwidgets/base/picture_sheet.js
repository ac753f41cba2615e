// @ts-check
// Beside a panel: what one draws on, or a camera. The panel answers while one draws.

import { cameraPane } from "../views/camera_pane.js";
import { drawPad } from "../views/draw_pad.js";
import { h } from "../views/shared.js";
import { keepKeys } from "./hands.js";
import { pictureFeed } from "./picture_feed.js";

/**
 * A sheet for a drawing ("draw") or a camera ("camera") that gives its picture to a panel; empty until it is opened.
 *
 * @param hand as a field has it
 * @param {(isOpen: boolean) => void} told hears whether it is open
 */
function pictureSheet(kind, name, hand, told) {
  const heading = h("span", { className: "cwp-sheet-name" }, name);
  const shut = h("button", { type: "button", className: "cwp-shut", "aria-label": `Close: ${name}` }, "×");
  const inner = h("div", { className: `cwp-pane cw cw-${kind}` });
  const root = h("div", { className: "cwp-sheet", role: "group", "aria-label": name, "data-sheet": kind, hidden: true },
    h("div", { className: "cwp-sheet-head" }, heading, shut), inner);
  const held = new AbortController();
  keepKeys(root, held.signal);
  let pane = null;

  /** What the sheet holds, once it is known what the network's pictures are like. */
  const make = () => {
    const pad = hand.get("_pads")?.[hand.name];
    if (pane || !pad || root.hidden) return;
    const feed = pictureFeed(hand);
    if (kind === "draw") {
      const drawn = drawPad(pad, (isWhole) => feed.give(drawn.canvas, isWhole));
      pane = { root: drawn.root, end: () => {} };
    } else pane = cameraPane(pad.shape, { take: feed.give, wants: () => !feed.isBusy });
    inner.append(pane.root);
    root.querySelector(".cw button:not([hidden])")?.focus({ preventScroll: true });
  };
  const turn = (isOpen) => {
    if (isOpen !== root.hidden) return; // it is so already
    root.hidden = !isOpen;
    told(isOpen);
    if (!isOpen) return pane?.end();
    if (!hand.get("_pads")?.[hand.name]) hand.send({ kind: "pad" });
    make();
  };
  hand.hear(["_pads"], make);
  shut.addEventListener("click", () => turn(false));
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // of panels in panels it is this one's
    turn(false);
  });
  const end = () => {
    pane?.end();
    held.abort();
  };
  return { root, turn, end };
}

/** A button that is an icon, and its name. */
export function iconButton(icon, name, hand, act) {
  const button = h("button", { type: "button", className: "cwp-button cwp-square", "aria-label": name }, h("span", { className: "cwp-icon", "data-icon": icon }));
  button.addEventListener("click", act);
  hand.tip.attach(button, () => `${name}.`);
  return button;
}

/** Buttons that open a sheet each, of which one is open at most, and the sheets. */
export function pictureSheets(hand) {
  const all = Object.entries({ draw: "Draw a picture", camera: "Use the camera" }).map(([kind, name]) => {
    const button = iconButton(kind, name, hand, () => {
      const opens = sheet.root.hidden;
      all.forEach((one) => one.sheet.turn(false));
      sheet.turn(opens);
    });
    const sheet = pictureSheet(kind, name, hand, (isOpen) => {
      button.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen && button.isConnected) button.focus({ preventScroll: true });
    });
    button.setAttribute("aria-expanded", "false");
    return { button, sheet };
  });
  return {
    buttons: all.map(({ button }) => button),
    roots: all.map(({ sheet }) => sheet.root),
    disable(yes) {
      for (const { button, sheet } of all) {
        button.disabled = yes;
        if (yes) sheet.turn(false);
      }
    },
    end: () => all.forEach(({ sheet }) => sheet.end()),
  };
}
