// @ts-check
// Points, or pictures as points, in the plane. Moving, hovering, selecting and hiding happen here, without the kernel.

import { pointCard, sentenceOf, summaryOf } from "./scatter_card.js";
import { drawDraft, hints, scatterTools, useHands } from "./scatter_hands.js";
import { drawNames, middles, placeNames } from "./scatter_labels.js";
import { classLegend } from "./scatter_legend.js";
import { Frame, lookOf, stampPoints, wordOf } from "./scatter_marks.js";
import { Atlas, Thinning } from "./scatter_pictures.js";
import { Camera, PointIndex, ahead, boundsOf, inside, shuffled } from "./scatter_space.js";
import { colorTable, cssColor, drawLegend, drawer, h, listen, once, put, resize, typed, watch } from "./shared.js";

const NARROW = 420; // CSS pixels: below, the legend lies under the points
const ZOOM = [0.5, 50]; // the least and the most of what shows all points
const [HIDDEN, FADED, PLAIN, CHOSEN] = [0, 1, 2, 3];

/** @param {import("./host").Host<import("./traits").ScatterView>} host */
function render({ model, el }) {
  const under = h("canvas", { className: "cw-points", "aria-hidden": "true" });
  const canvas = h("canvas", { className: "cw-canvas", role: "application", tabIndex: 0 });
  const card = pointCard(model);
  const stage = h("div", { className: "cw-stage" }, under, canvas, card.element);
  const name = h("span", { className: "cw-title" });
  const note = h("span", { className: "cw-note" });
  const title = h("div", { className: "cw-named" }, name, note);
  const line = h("div", { className: "cw-line", role: "status", "aria-live": "polite" });
  const bar = h("canvas", { role: "img" });
  const quantity = h("span", { className: "cw-name" });
  const scale = h("div", { className: "cw-scale" }, quantity, bar);
  const ends = [];
  let points = new Float32Array(0), order = new Int32Array(0), placed, shown, kinds; // what is drawn
  let look, selection, joined, links;
  let centers = null; // of the classes, where their names stand
  let index = null, thinning = null, frame = null, motion = null, draft = null, stale = true, sight = null, atlas = null;
  let camera = new Camera(0, 0, 1), home = camera, following = true; // following: the camera keeps all points in view
  /** @returns {[number, number]} */
  const size = () => [stage.clientWidth, Math.min(model.get("height"), Math.max(240, Math.round(1.1 * stage.clientWidth)))];
  const count = () => points.length / 2;
  const onScreen = (i) => camera.onScreen(points[2 * i], points[2 * i + 1], size());
  const radius = () => {
    const base = Math.max(1.25, Math.min(5, 0.28 * Math.sqrt((size()[0] * size()[1]) / count())));
    return Math.round(4 * Math.min(8, base * Math.max(1, camera.scale / home.scale) ** 0.35)) / 4;
  };

  // what is known of the points

  const place = () => {
    const next = typed(Float32Array, model.get("positions"));
    const still = !model.get("tween") || window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const glides = !still && next.length === points.length && next.length > 0;
    const from = glides && points.map((v, k) => (Number.isFinite(v) ? v : next[k]));
    motion = glides ? { from, to: next, start: performance.now(), time: model.get("tween"), camera } : null;
    following ||= next.length !== points.length || model.get("tween") > 0; // live frames leave a camera that was moved
    if (next.length !== points.length) order = shuffled(next.length / 2);
    points = motion ? motion.from.slice() : next;
    hide();
  };
  const hide = () => {
    const hidden = new Set(model.get("hidden"));
    const group = typed(Uint16Array, model.get("group"));
    const goal = motion?.to ?? points;
    placed = Uint8Array.from({ length: count() }, (_, i) => Number(Number.isFinite(goal[2 * i] + goal[2 * i + 1])));
    shown = placed.map((one, i) => Number(one && !hidden.has(group[i])));
    kinds = new Uint8Array(count());
    index = thinning = centers = null;
    aim();
  };
  /** Look at all points, unless a hand has moved the camera. */
  const aim = () => {
    home = Camera.of(boundsOf(motion?.to ?? points, placed), size());
    if (following && !motion) camera = home;
    refresh();
  };
  const color = () => {
    const { backgroundColor: paper, color: ink } = getComputedStyle(under);
    look = lookOf(model, count(), wordOf(paper), wordOf(ink));
    centers = null;
    legend.show(look.counts, model.get("palette"), joined.length);
    scale.hidden = !model.get("value")?.byteLength;
    quantity.textContent = model.get("quantity");
    if (!scale.hidden) drawLegend(bar, Array.from(colorTable("viridis")), ...model.get("span"), ink);
    refresh();
  };
  const join = () => {
    const known = (trait) => typed(Int32Array, model.get(trait));
    joined = known("added").filter((i) => i < count());
    links = known("edges").map((i) => (i < count() ? i : 0));
    selection = known("selected").filter((i) => i < count() && shown[i]); // what is hidden stays selected until a hand hides it
    card.forget();
    refresh();
  };
  const move = () => {
    const before = count();
    place();
    if (count() !== before) load();
  };
  const load = () => {
    name.textContent = model.get("title");
    note.textContent = model.get("note");
    title.hidden = !name.textContent && !note.textContent;
    root.classList.toggle("cw-bare", !model.get("tools"));
    hide();
    join();
    color();
  };
  const loadAtlas = () => {
    atlas?.sheet?.close();
    atlas = new Atlas(model, () => (card.forget(), refresh()));
    refresh();
  };

  // drawing

  const paint = () => {
    if (!stage.clientWidth) return; // hidden: what is drawn stays
    if (motion) glide();
    if (stale) paintPoints();
    stale = false;
    paintMarks();
    describe();
    if (motion) refresh();
  };
  const glide = () => {
    const time = Math.min(1, (performance.now() - motion.start) / motion.time);
    const part = time * time * (3 - 2 * time);
    const { from, to, camera: before } = motion;
    for (let k = 0; k < points.length; k++) points[k] = from[k] + (to[k] - from[k]) * part;
    if (following) camera = before.towards(home, part);
    if (time < 1) return;
    [points, motion, index, thinning, centers] = [to, null, null, null, null];
  };

  const paintPoints = () => {
    const [ratio, context] = [window.devicePixelRatio || 1, resize(under, ...size())];
    const pictures = model.get("thumbnails") && atlas.sheet;
    const dot = pictures ? Math.min(2, radius()) : radius();
    if (frame?.width !== under.width || frame?.height !== under.height) frame = new Frame(under.width, under.height);
    const stamps = (larger) => frame.stamps(dot * ratio * larger, dot >= 2.5 ? ratio : 0);
    sight = pictures ? { side: model.get("thumbnail"), level: seen() } : null;
    sort();
    frame.words.fill(look.paper);
    const scene = { points, order, kinds, camera, ratio };
    stampPoints(frame, stamps(1), scene, FADED, look, look.faded, look.faded);
    stampPoints(frame, stamps(1), scene, PLAIN, look, look.fills, look.rims);
    stampPoints(frame, stamps(1.25), scene, CHOSEN, look, look.fills, look.rims);
    frame.show(context);
    if (pictures) paintPictures(context);
    paintLinks(context);
    paintNames(context);
  };
  const seen = () => {
    thinning ??= new Thinning(points, shown, order);
    return thinning.level((model.get("thumbnail") + 5) / camera.scale);
  };
  const pictured = (i) => sight !== null && thinning !== null && thinning.levels[i] <= sight.level;
  /** Which points are stamped, and how. */
  const sort = () => {
    const usual = selection.length ? FADED : PLAIN;
    for (let i = 0; i < kinds.length; i++) kinds[i] = shown[i] ? usual : HIDDEN;
    for (const i of selection) if (shown[i]) kinds[i] = CHOSEN;
  };
  const paintPictures = (context) => {
    for (const i of order) {
      if (!shown[i] || !pictured(i)) continue;
      context.globalAlpha = kinds[i] === FADED ? 0.22 : 1;
      atlas.frame(context, i, ...onScreen(i), sight.side, cssColor(look.fills[look.slots[i]]));
    }
    context.globalAlpha = 1;
  };
  const paintNames = (context) => {
    const names = model.get("names");
    if (!model.get("labeled") || !names.length || motion || sight) return;
    centers ??= middles(points, look.slots, shown, names.length);
    const at = (k) => centers[k] && camera.onScreen(centers[k][0], centers[k][1], size());
    drawNames(context, placeNames(context, names, look.counts, at, size()), (k) => cssColor(look.fills[k]), cssColor(look.paper), getComputedStyle(under).color);
  };
  const paintLinks = (context) => {
    const style = getComputedStyle(root);
    Object.assign(context, { strokeStyle: style.color, lineWidth: 1.25, globalAlpha: 0.6 });
    context.beginPath();
    for (let k = 0; k + 1 < links.length; k += 2) {
      if (!shown[links[k]] || !shown[links[k + 1]]) continue;
      context.moveTo(...onScreen(links[k]));
      context.lineTo(...onScreen(links[k + 1]));
    }
    context.stroke();
    Object.assign(context, { lineWidth: 1.75, globalAlpha: 1 });
    for (const i of joined) if (shown[i]) ring(context, i, 3.5);
  };
  /** A line around a point, or around its picture. */
  const ring = (context, i, gap) => {
    const [x, y] = onScreen(i);
    context.beginPath();
    if (pictured(i)) {
      const [wide, tall] = atlas.size(sight.side);
      context.rect(x - wide / 2 - gap, y - tall / 2 - gap, wide + 2 * gap, tall + 2 * gap);
    } else context.arc(x, y, radius() + gap, 0, 7);
    context.stroke();
  };
  const paintMarks = () => {
    const context = resize(canvas, ...size());
    const style = getComputedStyle(root);
    const doubled = (i, color, gap) => {
      if (i < 0 || i >= count() || !shown[i]) return;
      for (const [width, stroke] of [[5, "rgb(0 0 0 / 70%)"], [2.5, color]]) {
        Object.assign(context, { lineWidth: width, strokeStyle: stroke });
        ring(context, i, gap);
      }
    };
    doubled(model.get("picked"), style.getPropertyValue("--cw-mark"), 5);
    doubled(hovered(), "white", 3);
    const [x, y] = hovered() >= 0 ? onScreen(hovered()) : [0, 0];
    card.show(draft ? -1 : hovered(), atlas, x, y, 14 + (sight?.side ?? 0) / 2, size());
    if (draft) drawDraft(context, draft, style.getPropertyValue("--cw-accent"));
  };
  /** The point under the pointer, if it can be seen. */
  const hovered = () => {
    const i = model.get("hovered");
    return i >= 0 && i < count() && shown[i] && !motion ? i : -1;
  };
  const describe = () => {
    const summary = summaryOf(model, count(), selection.length, count() - placed.reduce((sum, one) => sum + one, 0));
    const told = [model.get("title"), summary].filter(Boolean).join(": ");
    const picks = model.get("lock").includes("picked") ? "" : ", Enter picks";
    canvas.setAttribute("aria-label", `${told}; arrow keys move from point to point${picks}`);
    line.textContent = hovered() >= 0 ? sentenceOf(model, hovered()) : hint.text(model) || summary;
  };
  const hint = hints();
  const draw = drawer(canvas, paint);
  const refresh = () => ((stale = true), draw());

  // acting

  const select = (found, add) => {
    selection = add ? Int32Array.from(new Set([...selection, ...found])).sort() : Int32Array.from(found);
    put(model, { selected: new Uint8Array(selection.buffer) });
    refresh();
  };
  /** A hand hides classes, and their points are selected no longer. */
  const hideClasses = (hidden) => {
    put(model, { hidden });
    if (selection.byteLength < (model.get("selected")?.byteLength ?? 0) && !model.get("lock").includes("selected")) select(selection);
  };
  /** The camera of all points, or of those that are not hidden. */
  const fitted = () => (model.get("hidden").length ? Camera.of(boundsOf(points, shown), size()) : home);
  const view = {
    look: (next) => {
      [camera, following] = [next, false];
      refresh();
    },
    pan: (dx, dy) => view.look(camera.moved(dx, dy)),
    zoom: (factor, x = size()[0] / 2, y = size()[1] / 2) => {
      const [least, most] = ZOOM.map((times) => times * fitted().scale);
      const scale = Math.max(least, Math.min(most, camera.scale * factor));
      view.look(camera.zoomed(scale, x, y, size()));
    },
    fit: () => {
      following = true;
      aim();
      if (model.get("hidden").length) view.look(fitted());
    },
    find: (x, y) => {
      if (motion) return -1;
      index ??= new PointIndex(points, shown);
      const [at, side] = [camera.inPlane(x, y, size()), (sight?.side ?? 0) / 2];
      const under = (i) => pictured(i) && onScreen(i).every((v, k) => Math.abs(v - [x, y][k]) <= side);
      const found = sight ? index.nearest(...at, (1.5 * side) / camera.scale, under) : -1;
      return found >= 0 ? found : index.nearest(...at, Math.max(10, radius() + 4) / camera.scale);
    },
    hover: (i) => i === model.get("hovered") || put(model, { hovered: i }),
    step: (way) => {
      const known = [hovered(), model.get("picked")].find((i) => i >= 0 && shown[i]) ?? -1;
      const from = known >= 0 ? [points[2 * known], points[2 * known + 1]] : [camera.x, camera.y];
      index ??= new PointIndex(points, shown);
      const next = known >= 0 ? ahead(from, points, shown, way, known) : index.nearest(from[0], from[1], Infinity);
      if (next < 0) return;
      const [x, y] = onScreen(next);
      const [width, height] = size();
      if (x < 0 || x > width || y < 0 || y > height) view.pan(width / 2 - x, height / 2 - y);
      view.hover(next);
    },
    pick: (i, add) => {
      if (add && i >= 0 && !model.get("lock").includes("selected")) {
        select(selection.includes(i) ? selection.filter((one) => one !== i) : [i], !selection.includes(i));
      } else if (!model.get("lock").includes("picked")) put(model, { picked: i });
    },
    enclose: (corners, add) => {
      const border = corners.map((corner) => camera.inPlane(corner[0], corner[1], size()));
      select(inside(border, points, shown), add);
    },
    clear: () => selection.length && !model.get("lock").includes("selected") && select([]),
    draft: (corners) => ((draft = corners), draw()),
  };
  const legend = classLegend(model, hideClasses, (classes, add) => {
    const [wanted, group] = [new Set(classes), typed(Uint16Array, model.get("group"))];
    const found = Array.from(group.keys()).filter((i) => shown[i] && wanted.has(group[i]));
    if (!model.get("lock").includes("selected")) select(found, add);
  });
  const tools = scatterTools(model, view, ends);
  const head = h("div", { className: "cw-head" }, title, tools.element);
  const body = h("div", { className: "cw-body" }, stage, legend.element);
  const foot = h("div", { className: "cw-foot" }, line, tools.clear);
  const parts = [head, body, scale, foot];
  const root = h("div", { className: "cw cw-scatter", "data-lm-suppress-shortcuts": "true" }, ...parts);
  el.append(root);
  useHands(canvas, model, view, hint);
  const layout = () => {
    root.classList.toggle("cw-narrow", root.clientWidth < NARROW);
    stage.style.height = `${size()[1]}px`;
    root.style.setProperty("--cw-height", `${size()[1]}px`);
    aim();
    color();
  };

  ends.push(
    listen(model, ["positions"], once(move)),
    listen(model, ["group", "value", "names", "palette", "span", "quantity"], once(load)),
    listen(model, ["title", "note", "tools", "added", "edges"], once(load)),
    listen(model, ["hidden"], () => { legend.mark(); hide(); join(); }),
    listen(model, ["selected"], join),
    listen(model, ["atlas", "tile"], once(loadAtlas)),
    listen(model, ["thumbnails", "thumbnail", "labeled"], refresh),
    listen(model, ["hovered", "picked"], draw),
    listen(model, ["labels", "top", "chance", "numbers", "classes"], () => (card.forget(), draw())),
    listen(model, ["height"], layout),
    watch(root, layout),
    watch(stage, layout),
    draw.stop,
  );
  loadAtlas();
  place();
  load();
  layout();
  return () => ends.forEach((end) => end());
}

export default { render };
