// Draws each element of class "chart": its attribute data-spec names a <script type="application/json"> with a
// Vega-Lite specification. Drawn when it comes near the window, on canvas, without eval (Vega's own interpreter), in
// the colours of the style sheet, and again when those or the width change.
"use strict";
(() => {
  const root = document.documentElement;
  const drawn = new Map();

  // A colour of the style sheet, resolved for the theme in force.
  const colour = (() => {
    const probe = document.createElement("i");
    probe.hidden = true;
    document.body.append(probe);
    return (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  })();

  function config() {
    const ink = colour("ink"), quiet = colour("quiet"), line = colour("line");
    const font = getComputedStyle(document.body).fontFamily;
    return {
      background: null, font, padding: 2,
      view: { stroke: null },
      axis: { labelColor: quiet, titleColor: quiet, gridColor: line, domainColor: line, tickColor: line,
              labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", gridOpacity: 0.8, labelLimit: 220 },
      legend: { labelColor: quiet, titleColor: quiet, labelFontSize: 11, titleFontSize: 11, orient: "top", offset: 6,
                symbolSize: 80, labelLimit: 260 },
      title: { color: ink, fontSize: 13, anchor: "start" },
      header: { labelColor: quiet, titleColor: quiet, labelFontSize: 11 },
      range: { category: ["accent", "dropped", "random", "learnt-edge", "other"].map(colour)
                 .concat(["#c49a2a", "#b0568f", "#4b87b9", "#8c6bb1", "#7a8c3a"]),
               ramp: [colour("accent-soft"), colour("accent")] },
      mark: { color: colour("accent") },
      rule: { color: quiet }, text: { color: ink },
    };
  }

  // "var(--kept)" anywhere in a specification is that colour.
  function resolved(value) {
    if (typeof value === "string") {
      const found = /^var\(--([a-z-]+)\)$/.exec(value);
      return found ? colour(found[1]) : value;
    }
    if (Array.isArray(value)) return value.map(resolved);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, key === "values" ? one : resolved(one)]));
    }
    return value;
  }

  async function draw(element) {
    drawn.get(element)?.view?.finalize();
    const spec = JSON.parse(document.getElementById(element.dataset.spec).textContent);
    const { spec: compiled } = vegaLite.compile(resolved(spec), { config: config() });
    const runtime = vega.parse(compiled, null, { ast: true });
    const view = new vega.View(runtime, {
      expr: vega.expressionInterpreter, renderer: "canvas", container: element, hover: true,
      loader: { load: () => Promise.reject(new Error("a chart loads nothing")) },
      tooltip: (_, event, item, value) => tooltip(event, value),
    });
    drawn.set(element, { view, width: element.clientWidth });
    await view.runAsync();
    element.dataset.drawn = "yes";
  }

  // The values under the pointer, as text.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  function tooltip(event, value) {
    tip.hidden = value == null || value === "";
    if (tip.hidden) return;
    tip.replaceChildren();
    const rows = typeof value === "object" ? Object.entries(value) : [["", value]];
    for (const [key, one] of rows) {
      const row = document.createElement("div");
      const name = document.createElement("span");
      name.textContent = key;
      row.append(name, document.createTextNode(String(one)));
      tip.append(row);
    }
    const { clientWidth, clientHeight } = document.documentElement;
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, clientWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = Math.max(4, Math.min(event.clientY + 14, clientHeight - tip.offsetHeight - 8)) + "px";
  }

  function fail(element, error) {
    element.textContent = `This chart cannot be drawn: ${error.message}`;
    element.dataset.drawn = "failed";
  }
  const drawSafely = (element) => draw(element).catch((error) => fail(element, error));

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && !drawn.has(entry.target)) drawSafely(entry.target);
    }
  }, { rootMargin: "300px" });
  const watch = (where) => {
    for (const one of where.querySelectorAll(".chart[data-spec]")) {
      if (one.dataset.height) one.style.minHeight = `${one.dataset.height}px`;  // room, so that nothing jumps
      near.observe(one);
    }
  };
  // Draws an element whose specification has changed; one that is far from the window waits until it comes near.
  const redraw = (element) => { if (drawn.has(element)) drawSafely(element); };

  const again = () => { for (const element of drawn.keys()) element.isConnected ? drawSafely(element) : drawn.delete(element); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const [element, { width }] of drawn) if (element.clientWidth !== width) drawSafely(element);
    }, 150);
  });
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll(".chart[data-spec]")) if (!drawn.has(one)) drawSafely(one); });
  watch(document);
  window.gristmillCharts = { watch, redraw };
})();
