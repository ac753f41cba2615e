// One picture, and on it the rectangle that the position under the cursor sees.

function render({ model, el }) {
  const canvas = h("canvas", { className: "cw-canvas", role: "img" });
  const title = h("div", { className: "cw-title" });
  const caption = h("div", { className: "cw-line", role: "status", "aria-live": "polite" });
  const root = h("div", { className: "cw cw-image", "data-lm-suppress-shortcuts": "true" }, title, canvas, caption);
  el.append(root);
  const source = document.createElement("canvas");
  let size = null;

  const reload = () => {
    const [height, width] = model.get("shape");
    size = { height, width };
    title.textContent = model.get("title");
    title.hidden = !title.textContent;
    canvas.setAttribute("aria-label", model.get("title") || "picture");
    if (height * width) {
      Object.assign(source, { height, width });
      const image = new ImageData(width, height);
      const pixels = typed(Uint8Array, model.get("pixels"));
      for (let i = 0; i < height * width; i++) image.data.set([pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2], 255], 4 * i);
      source.getContext("2d").putImageData(image, 0, 0);
    }
    draw();
  };

  /** Top, left, height, width in picture pixels of what a position sees, or null. */
  const box = () => {
    const [field, cursor] = [model.get("field"), position(model.get("cursor"))];
    if (!field?.status || !cursor) return null;
    if (field.status === "global") return [0, 0, size.height, size.width];
    return [0, 1].map((k) => field.offset[k] + cursor[k] * field.step[k]).concat(field.size);
  };

  const zoom = () => {
    const room = Math.max(80, Math.min(root.clientWidth || 280, model.get("width")));
    const scale = room / size.width;
    return scale > 2 ? Math.floor(scale) : scale;
  };

  const paint = () => {
    if (!size.height || !size.width || !root.clientWidth) return;
    const scale = zoom();
    const [width, height] = [size.width * scale, size.height * scale];
    const context = resize(canvas, width, height);
    context.imageSmoothingEnabled = scale < 2;
    context.drawImage(source, 0, 0, width, height);
    const seen = box();
    if (seen) {
      const [top, left, tall, wide] = seen.map((v) => v * scale);
      context.fillStyle = "rgb(0 0 0 / 45%)";
      context.beginPath();
      context.rect(0, 0, width, height);
      context.rect(Math.max(left, 0), Math.max(top, 0), Math.min(left + wide, width) - Math.max(left, 0), Math.min(top + tall, height) - Math.max(top, 0));
      context.fill("evenodd");
      const mark = getComputedStyle(root).getPropertyValue("--cw-mark") || "#ffb000";
      outline(context, Math.max(left, 1), Math.max(top, 1), Math.min(left + wide, width - 1) - Math.max(left, 1), Math.min(top + tall, height - 1) - Math.max(top, 1), mark);
    }
    caption.textContent = [describe(seen), model.get("caption")].filter(Boolean).join(" · ");
  };

  const describe = (seen) => {
    if (!seen) return "";
    const field = model.get("field");
    if (field.status === "global") return "this position sees the whole picture";
    const [rows, columns] = [0, 1].map((k) => `${Math.max(0, Math.floor(seen[k]))}–${Math.min(size[["height", "width"][k]], Math.ceil(seen[k] + seen[k + 2])) - 1}`);
    return `sees ${field.status === "bound" ? "at most " : ""}rows ${rows}, columns ${columns}`;
  };

  const draw = drawer(canvas, paint);
  canvas.addEventListener("pointermove", (event) => {
    const [field, shape] = [model.get("field"), model.get("positions")];
    if (!field?.status || !shape?.length) return;
    const area = canvas.getBoundingClientRect();
    const pixel = [event.clientY - area.top, event.clientX - area.left].map((v) => v / zoom() - 0.5);
    const cursor = pixel.map((p, k) => {
      const at = field.status === "global"
        ? ((p + 0.5) / size[["height", "width"][k]]) * shape[k] - 0.5
        : (p - field.offset[k] - (field.size[k] - 1) / 2) / field.step[k];
      return Math.max(0, Math.min(shape[k] - 1, Math.round(at)));
    });
    put(model, { cursor });
  });

  const ends = [
    listen(model, ["pixels", "shape", "title"], once(reload)),
    listen(model, ["cursor", "field", "caption", "width"], draw),
    watch(root, draw),
    draw.stop,
  ];
  reload();
  return () => ends.forEach((end) => end());
}

export default { render };
