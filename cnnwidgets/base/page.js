// @ts-check
// Stands in for the kernel and the notebook: gives each widget a model that holds its traits, and modules a host.

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

const widgets = new Map(Object.entries(content.states).map(([id, state]) => [id, { model: new Model(state), module: null }]));
for (const { text, of } of content.modules) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { default: module } = await import(url);
  of.forEach((id) => Object.assign(widgets.get(id), { module }));
}

const found = (reference) => widgets.get(reference.replace("anywidget:", ""));
const host = {
  kernel: false,
  getModel: async (reference) => found(reference).model,
  getWidget: async (reference) => ({
    render: ({ el, signal }) => found(reference).module.render({ model: found(reference).model, el, signal, host }),
  }),
};
const forever = new AbortController().signal;
for (const { model, module } of widgets.values()) await module.initialize?.({ model, signal: forever, host });
const { render } = await host.getWidget(content.root);
await render({ el: document.getElementById("panel"), signal: forever });
