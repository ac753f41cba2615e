// Stands in for the kernel: gives each view a model that holds its traits, and keeps tied traits the same.

const content = JSON.parse(document.getElementById("content").textContent);
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

const plain = (value) => {
  if (value?.base64 !== undefined) return bytes(value.base64);
  if (value && typeof value === "object" && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
  }
  return value;
};

class Model {
  constructor(state) {
    this.state = plain(state);
    this.listeners = new Map();
  }
  get(key) { return this.state[key]; }
  set(key, value) {
    if (JSON.stringify(this.state[key]) === JSON.stringify(value)) return;
    this.state[key] = value;
    this.emit(`change:${key}`);
  }
  on(event, action) { this.listeners.set(event, [...(this.listeners.get(event) ?? []), action]); }
  off(event, action) { this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== action)); }
  emit(event, ...values) { (this.listeners.get(event) ?? []).forEach((action) => action(...values)); }
  save_changes() {}
  send(message) {
    const bundle = content.bundles[message.kind];
    if (bundle) queueMicrotask(() => this.emit("msg:custom", message, [bytes(bundle)]));
  }
}

const models = content.views.map((view) => new Model(view.state));
for (const pair of content.ties) {
  for (const [[from, a], [to, b]] of [pair, pair.toReversed()]) {
    models[from].on(`change:${a}`, () => models[to].set(b, models[from].get(a)));
  }
}

const modules = {};
for (const [name, text] of Object.entries(content.modules)) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  modules[name] = (await import(url)).default;
}

const place = (part, parent) => {
  const el = document.createElement("div");
  el.style.flex = parent.style.flexDirection === "column" ? "none" : part.flex || "1 1 auto";
  parent.append(el);
  if (part.view !== undefined) {
    modules[content.views[part.view].module].render({ model: models[part.view], el });
    return;
  }
  el.className = "cw-box";
  el.style.flexDirection = part.direction;
  el.style.flexWrap = part.direction === "row" ? "wrap" : "nowrap"; // a column that may wrap is as high as if it were narrow
  part.children.forEach((child) => place(child, el));
};
document.getElementById("copy").textContent = content.copy;
if (content.tree) place(content.tree, document.getElementById("panel"));
