// @ts-check
// A panel: its control strip, its views in rows and columns, its status line, and the ties between them.

import { controlStrip } from "./strip.js";
import { statusLine } from "./status.js";
import { h, hasFocus, listen, put, stamp, typed, watch } from "../views/shared.js";

async function render({ model, el, signal, host }) {
  const strip = controlStrip(model, signal);
  const status = statusLine(model, signal);
  const body = h("div", { className: "cwp-body" });
  const title = model.get("_title");
  const root = h("section", { className: "cwp", "data-panel": title, "aria-label": title, "data-lm-suppress-shortcuts": "true" },
    strip.root, h("div", { className: "cwp-main" }, strip.sheets, body), status.root);
  el.append(root);
  const showBare = () => {
    root.toggleAttribute("data-bare", model.get("is_bare"));
    if (model.get("is_bare")) status.root.remove();
    else root.append(status.root);
  };
  signal.addEventListener("abort", listen(model, ["is_bare"], showBare));
  showBare();
  keepScheme(root, signal);
  takePictures(root, strip, signal);
  strip.listen(root);
  hideTwin(el, signal);
  if (!host) {
    body.textContent = "This panel needs anywidget 0.11 or later, also where the notebook's server runs.";
    return;
  }
  await tieAll(model, host, signal);
  const layout = await layOut(model, host, body, signal);
  watchKernel(model, host, signal, (live) => [strip, status, layout].forEach((part) => part.tell(live)));
  stamp(root);
}

/** Put the views where the tree says, each in an element of its own; later it shows and hides them, and may have more. */
async function layOut(model, host, body, signal) {
  let live = true;
  let boxes = [];

  const mount = async (reference, el) => {
    try {
      await (await host.getWidget(reference)).render({ el, signal });
    } catch (error) {
      if (!signal.aborted) el.append(h("div", { className: "cwp-lost" }, `This view could not be loaded: ${error.message}`));
    }
  };
  let parts = []; // their elements, each counted before what is in it
  const mounted = new Map(); // elements of views, by their references
  const place = (part, mounting) => {
    const el = mounted.get(part.view) ?? h("div", { className: part.view ? "cwp-view" : part.row ? "cwp-row" : "cwp-column" });
    parts.push(el);
    if (part.view) {
      if (!mounted.has(part.view)) mounting.push(mount(part.view, el));
      mounted.set(part.view, el);
      return el;
    }
    el.append(...(part.row ?? part.column).map((child) => {
      const inside = place(child, mounting);
      inside.style.setProperty("--cwp-grow", child.grow);
      if (part.row) inside.style.setProperty("--cwp-basis", `${child.basis}px`);
      return inside;
    }));
    if (part.follows.length) boxes.push({ el, follows: part.follows, end: () => {} });
    return el;
  };

  const conceal = () => parts.forEach((el, number) => (el.hidden = model.get("_hidden").includes(number)));
  let placed = "{}";
  const draw = async () => {
    const tree = model.get("_tree");
    if (JSON.stringify(tree) === placed) return;
    placed = JSON.stringify(tree);
    boxes.forEach((box) => box.end());
    [boxes, parts] = [[], []];
    const mounting = [];
    body.replaceChildren(...(tree.row || tree.column ? [place(tree, mounting)] : []));
    conceal();
    await Promise.all([...mounting, ...boxes.map(follow)]);
  };

  /** What a box shows was drawn for one value of a trait: where that changes and no kernel answers, it says so. */
  const follow = async (box) => {
    const [reference, name] = box.follows;
    const leader = reference ? await host.getModel(reference) : model;
    if (signal.aborted) return;
    box.value = () => digestOf(leader.get(name));
    box.saved = box.value();
    box.note = h("div", { className: "cwp-stale", hidden: true }, "Drawn for another choice. A new one needs a running kernel.");
    box.el.prepend(box.note);
    box.end = listen(leader, [name], () => age(box));
  };
  const age = (box) => {
    if (live) box.saved = box.value();
    box.note.hidden = live || box.saved === box.value();
    box.el.toggleAttribute("data-stale", !box.note.hidden);
  };

  /** Scroll to a view, on a page where the focus is here: there a hand has asked for it. */
  const bring = async ({ kind, view }) => {
    if (kind !== "bring" || !hasFocus(body.closest(".cwp"))) return;
    await drawing;
    mounted.get(view)?.scrollIntoView({ block: "nearest" });
  };

  let drawing = draw();
  const ends = [listen(model, ["_tree"], () => (drawing = draw())), listen(model, ["_hidden"], conceal)];
  model.on("msg:custom", bring);
  ends.push(() => model.off("msg:custom", bring));
  signal.addEventListener("abort", () => [...ends, ...boxes.map((box) => () => box.end())].forEach((end) => end()));
  await drawing;
  return { tell: (now) => ((live = now), boxes.filter((box) => box.note).forEach(age)) };
}

/** A trait's value as a text that differs where the value does. */
const digestOf = (value) => JSON.stringify(value?.byteLength === undefined ? value : [...typed(Uint8Array, value)]);

/** Keep tied traits the same: what leads tells the followers; what a hand does to a follower the leader is told, and sends. */
async function tieAll(model, host, signal) {
  const models = new Map([["", model]]);
  const of = async (reference) => models.get(reference) ?? models.set(reference, await host.getModel(reference)).get(reference);
  const tied = new Set();
  const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b); // marimo tells of equal values as of others
  const tie = async (group) => {
    if (tied.has(JSON.stringify(group))) return;
    tied.add(JSON.stringify(group));
    const [[leader, name], ...followers] = await Promise.all(group.map(async ([reference, trait]) => [await of(reference), trait]));
    if (signal.aborted) return;
    const lead = () => followers.forEach(([one, trait]) => {
      if (!same(one.get(trait), leader.get(name))) one.set(trait, leader.get(name));
    });
    const ends = [listen(leader, [name], lead), ...followers.map(([one, trait]) => listen(one, [trait], () => {
      if (!same(one.get(trait), leader.get(name))) put(leader, { [name]: one.get(trait) });
    }))];
    signal.addEventListener("abort", () => ends.forEach((end) => end()));
    lead();
  };
  const tieEach = () => Promise.all(model.get("_ties").map(tie));
  signal.addEventListener("abort", listen(model, ["_ties"], tieEach));
  await tieEach();
}

/** Say now, and whenever it changes, whether a kernel answers, as far as the host lets one know. */
async function watchKernel(model, host, signal, tell) {
  if (host.kernel !== undefined) return tell(host.kernel); // a page
  const first = (part) => part.view ?? (part.row ?? part.column ?? []).map(first).find(Boolean);
  const reference = first(model.get("_tree"));
  const manager = model.widget_manager; // JupyterLab's and Notebook's; marimo has none, and always a kernel
  const child = reference && (await manager?.get_model(reference.replace("anywidget:", "")).catch(() => null));
  if (typeof child?.comm_live !== "boolean" || signal.aborted) return;
  const kernel = manager.kernel;
  const say = () => tell(child.comm_live && !kernel?.isDisposed && !["dead", "terminating"].includes(kernel?.status));
  child.on("comm_live_update", say);
  const heard = [kernel?.statusChanged, kernel?.disposed].filter(Boolean);
  heard.forEach((one) => one.connect(say));
  signal.addEventListener("abort", () => (child.off("comm_live_update", say), heard.forEach((one) => one.disconnect(say))));
  say();
}

/** A picture that is dropped anywhere on the panel, or pasted while the focus is in it. */
function takePictures(root, strip, signal) {
  const take = (event, data) => {
    const files = [...(data?.items ?? [])].filter((item) => item.kind === "file");
    const picture = files.find((item) => item.type.startsWith("image/")) ?? files[0]; // of another one it is said
    if (!picture) return false;
    event.preventDefault();
    event.stopPropagation(); // of panels in panels the innermost takes it
    return picture;
  };
  const over = (event) => take(event, event.dataTransfer) && root.setAttribute("data-drop", "");
  root.addEventListener("dragenter", over, { signal });
  root.addEventListener("dragover", over, { signal });
  root.addEventListener("dragleave", (event) => root.contains(event.relatedTarget) || root.removeAttribute("data-drop"), { signal });
  root.addEventListener("drop", (event) => {
    root.removeAttribute("data-drop");
    strip.take((take(event, event.dataTransfer) || null)?.getAsFile());
  }, { signal });
  root.addEventListener("paste", (event) => strip.take((take(event, event.clipboardData) || null)?.getAsFile()), { signal });
}

/** Native parts, such as lists and scroll bars, in the page's light or dark, which the color of its text tells. */
function keepScheme(root, signal) {
  const look = () => {
    if (!root.isConnected) return; // JupyterLab renders first, and puts it on the page later
    root.style.colorScheme = ""; // as the page has it, which the text's color may depend on
    const [r, g, b] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
    root.style.colorScheme = 0.3 * r + 0.59 * g + 0.11 * b > 140 ? "dark" : "light";
  };
  const soon = () => requestAnimationFrame(look);
  const end = watch(root, soon);
  const theme = new MutationObserver(soon);
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["class", "theme", "data-theme", "style"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon, { signal });
  signal.addEventListener("abort", () => (end(), theme.disconnect()));
}

/** The panel's still twin is the output after it; once the panel lives, it is not needed. */
function hideTwin(el, signal) {
  const hide = () => {
    const next = el.closest(".jp-OutputArea-child")?.nextElementSibling;
    if (!next?.querySelector(".jp-RenderedImage")) return;
    next.style.display = "none";
    observer.disconnect();
  };
  const observer = new MutationObserver(hide);
  requestAnimationFrame(() => {
    const area = el.closest(".jp-OutputArea");
    if (area) observer.observe(area, { childList: true, subtree: true });
    hide();
  });
  signal.addEventListener("abort", () => observer.disconnect());
}

export default { render };
