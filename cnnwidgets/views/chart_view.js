// A plotly figure. The library (1.5 MB) is asked of the kernel by the first chart on a page and shared by all others.

const PATIENCE = 20_000;

function plotly(model) {
  globalThis.__cnnwidgets_plotly ??= new Promise((resolve, reject) => {
    const late = setTimeout(() => fail(new Error("the kernel has not sent plotly.js")), PATIENCE);
    const fail = (error) => {
      delete globalThis.__cnnwidgets_plotly; // the next chart asks again
      reject(error);
    };
    const take = async (message, buffers) => {
      if (message?.kind !== "plotly") return;
      clearTimeout(late);
      model.off("msg:custom", take);
      try {
        const stream = new Blob([buffers[0]]).stream().pipeThrough(new DecompressionStream("gzip"));
        const module = { exports: {} };
        new Function("module", "exports", "define", await new Response(stream).text())(module, module.exports, undefined);
        resolve(module.exports);
      } catch (error) {
        fail(error);
      }
    };
    model.on("msg:custom", take);
    model.send({ kind: "plotly" });
  });
  return globalThis.__cnnwidgets_plotly;
}

function render({ model, el }) {
  const plot = h("div", { className: "cw-plot" });
  const note = h("div", { className: "cw-note", role: "status", hidden: true });
  const root = h("div", { className: "cw cw-chart", "data-lm-suppress-shortcuts": "true", role: "img" }, note, plot);
  el.append(root);
  let library = null, drawn = false, ended = false, again = 0;

  const layout = (figure) => {
    const style = getComputedStyle(root);
    const line = style.getPropertyValue("--cw-line").trim() || "#8886";
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
    const themed = Object.fromEntries(
      Object.entries({ xaxis: {}, yaxis: {}, ...figure.layout }).map(([key, value]) => [key, /^[xy]axis/.test(key) ? { ...axis, ...value } : value]));
    return {
      margin: { l: 50, r: 12, t: 36, b: 40 }, height: model.get("height"), hovermode: "closest",
      ...themed,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: style.color, size: 13, ...figure.layout.font },
    };
  };

  const paint = async () => {
    const figure = JSON.parse(model.get("figure") || "null");
    root.setAttribute("aria-label", model.get("description"));
    if (!figure || !root.clientWidth) return;
    try {
      library ??= await plotly(model);
    } catch (error) {
      note.textContent = `No chart yet: ${error.message}.`;
      note.hidden = false;
      if (!ended) again = setTimeout(paint, 1000); // a kernel that runs a cell may not answer until that ends
      return;
    }
    if (ended) return;
    note.hidden = true;
    const marked = model.get("marked");
    if (figure.data.length) figure.data[0].selectedpoints = marked < 0 ? null : [marked];
    await library.react(plot, figure.data, layout(figure), { responsive: true, displaylogo: false, displayModeBar: false });
    if (!drawn) plot.on("plotly_click", ({ points }) => put(model, { clicked: [points[0].curveNumber, points[0].pointIndex ?? points[0].pointNumber] }));
    drawn = true;
    stamp(root);
  };

  const ends = [listen(model, ["figure", "marked", "height"], once(paint)), watch(root, paint)];
  paint();
  return () => {
    ended = true;
    clearTimeout(again);
    ends.forEach((end) => end());
    if (drawn) library.purge(plot);
  };
}

export default { render };
