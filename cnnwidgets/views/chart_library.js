// @ts-check
// plotly.js (1.5 MB) is asked of the kernel by the first chart on a page, unless it has brought it, and shared by all others.

const PATIENCE = 20_000;

/** Plotly; `ends` takes the function that gives up asking, for a chart that is removed may never get its answer. */
export function plotly(model, ends) {
  globalThis.__cnnwidgets_plotly ??= new Promise((resolve, reject) => {
    const fail = (error) => {
      clearTimeout(late);
      model.off("msg:custom", take);
      delete globalThis.__cnnwidgets_plotly; // the next chart asks again
      reject(error);
    };
    const take = async (message, buffers) => {
      if (message?.kind !== "plotly") return;
      clearTimeout(late);
      model.off("msg:custom", take);
      ends.splice(ends.indexOf(giveUp), 1);
      try {
        const stream = new Blob([buffers[0]]).stream().pipeThrough(new DecompressionStream("gzip"));
        const module = { exports: {} };
        new Function("module", "exports", "define", await new Response(stream).text())(module, module.exports, undefined);
        resolve(module.exports);
      } catch (error) {
        fail(error);
      }
    };
    const giveUp = () => fail(new Error("the chart that asked for plotly.js is gone"));
    const late = setTimeout(() => {
      ends.splice(ends.indexOf(giveUp), 1);
      fail(new Error("the kernel has not sent plotly.js"));
    }, PATIENCE);
    ends.push(giveUp);
    const brought = model.get("library");
    if (brought?.byteLength) return void take({ kind: "plotly" }, [brought]);
    model.on("msg:custom", take);
    model.send({ kind: "plotly" });
  });
  return globalThis.__cnnwidgets_plotly;
}
