// A map of embeddings in each element of class "map". Its data is in a <script type="application/json"> that
// data-map names ({data: base64, ids, texts}), or at the address data-src; then data-point answers for one point
// with {id, text, url}, and data-select takes a set of points and says where to go.
"use strict";
(() => {
  const { read, grid, nearest, within, resolve, Pixels, HIDDEN, FAINT, FULL } = window.mapPoints;
  const HUES = [165, 40, 275, 95, 340, 225, 15, 130, 305, 70, 195, 250];
  const PLAIN = /^\((none|kept|in none|no model|others|dropped)\)$/;
  const NEAR = 9, STEP = 60, MOST_ZOOM = 400, SCORES = 255;

  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const button = (text, label, act) => {
    const element = make("button", "", text);
    element.type = "button";
    if (label) { element.title = label; element.setAttribute("aria-label", label); }
    element.addEventListener("click", act);
    return element;
  };
  const shown = (number) => number.toLocaleString("en");
  const figure = (number) => Number(number.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
  const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark"
    || (document.documentElement.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);

  class EmbeddingMap {
    constructor(element, data, source) {
      Object.assign(this, { element, data, source });
      this.count = data.points;
      this.index = grid(data.x, data.y);
      this.hidden = new Map(data.fields.map((field) => [field.name, new Set()]));
      this.field = data.fields[0];
      this.chosen = null;
      this.lassoing = false;
      this.hovered = -1;
      this.texts = new Map();
      this.bounds();
      this.build();
      this.mix();
      this.compare("");
      new ResizeObserver(() => this.resize()).observe(this.stage);
      const again = () => { this.paint(); };
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
      new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    }

    bounds() {
      const { x, y } = this.data;
      const of = (numbers) => numbers.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [1, 0]);
      const [left, right] = of(x), [top, bottom] = of(y);
      this.extent = [Math.max(right - left, 1e-3), Math.max(bottom - top, 1e-3)];
      this.centre = [(left + right) / 2, (top + bottom) / 2];
      this.home();
    }

    home() { [this.x, this.y, this.zoom] = [...this.centre, 1]; }

    // The parts of the page -----------------------------------------------------------------------------------------

    build() {
      const tools = make("div", "map-tools");
      this.colourBy = this.chooser("Colour by", this.data.fields.map((field) => [field.name, field.title]), (name) => {
        this.field = this.data.fields.find((field) => field.name === name);
        this.paint();
      });
      this.beside = this.chooser("Show", this.comparisons(), (name) => this.compare(name));
      const group = make("div", "map-buttons");
      this.lassoButton = button("Lasso", "Draw round points to choose them; or drag with Shift held", () => {
        this.lassoing = !this.lassoing;
        this.lassoButton.setAttribute("aria-pressed", this.lassoing);
        this.element.classList.toggle("lassoing", this.lassoing);
      });
      this.lassoButton.setAttribute("aria-pressed", "false");
      group.append(this.lassoButton, button("+", "Zoom in", () => this.zoomBy(1.6)),
        button("−", "Zoom out", () => this.zoomBy(1 / 1.6)), button("Reset", "Show all of it", () => {
          this.home();
          this.redraw();
        }));
      tools.append(this.colourBy, this.beside, group);
      this.stage = make("div", "map-stage");
      this.legend = make("div", "map-legend");
      this.status = make("p", "map-status quiet");
      this.status.setAttribute("role", "status");
      this.details = make("div", "map-details");
      this.details.hidden = true;
      this.tip = make("div", "tip map-tip");
      this.tip.hidden = true;
      const body = make("div", "map-body");
      body.append(this.stage, this.legend);
      this.element.replaceChildren(tools, body, this.status, this.details, this.tip);
    }

    chooser(title, options, act) {
      const label = make("label", "map-choice", title + " ");
      const select = make("select");
      for (const [value, text] of options) {
        const option = make("option", "", text);
        option.value = value;
        select.append(option);
      }
      select.addEventListener("change", () => act(select.value));
      label.append(select);
      label.hidden = options.length < 2;
      return label;
    }

    comparisons() {
      const names = this.data.sets.map((one) => one.name), found = [["", "One map"]];
      for (const { name, points } of this.data.sets) {
        if (!points || points === this.count) continue;
        if (names.includes(`${name}_random`)) found.push([`set:${name}:${name}_random`, `${name} beside ${name}_random`]);
        if (!name.endsWith("_random")) found.push([`set:${name}:`, `${name} beside as many at random`]);
      }
      const fate = this.data.fields.find((field) => field.name === "fate");
      if (fate && fate.values.length > 1) {
        found.push(["fate:kept:", "Kept beside as many at random"], ["fate:kept:dropped", "Kept beside dropped"]);
      }
      return found;
    }

    // Which points a name of a set stands for, as a mask.
    members(kind, name) {
      const mask = new Uint8Array(this.count);
      const { arrays } = this.data;
      const place = kind === "set" ? this.data.sets.findIndex((one) => one.name === name)
        : this.data.fields.find((field) => field.name === "fate").values.indexOf(name);
      for (let i = 0; i < this.count; i++) {
        mask[i] = kind === "set" ? (arrays.sets[i] >>> place) & 1 : arrays.fate[i] === place ? 1 : 0;
      }
      return mask;
    }

    // As many points as a mask has, of each kind. Points come in random order: the first ones are a random sample.
    random(mask) {
      const kinds = this.data.arrays.kind ?? new Uint8Array(this.count), left = new Map();
      mask.forEach((held, i) => { if (held) left.set(kinds[i], (left.get(kinds[i]) ?? 0) + 1); });
      return mask.map((_, i) => {
        const more = left.get(kinds[i]) ?? 0;
        left.set(kinds[i], more - 1);
        return more > 0 ? 1 : 0;
      });
    }

    // Choose what is shown beside what, as its select does.
    show(name) {
      const select = this.beside.querySelector("select");
      select.value = name;
      if (select.value === name) this.compare(name);
      else select.value = "";
    }

    compare(name) {
      const [kind, first, second] = name.split(":");
      this.stage.replaceChildren();
      this.stage.classList.toggle("two", Boolean(name));
      if (!name) this.panels = [this.panel("", null)];
      else {
        const mask = this.members(kind, first), other = second ? this.members(kind, second) : this.random(mask);
        const size = (one) => shown(one.reduce((sum, held) => sum + held, 0));
        this.panels = [this.panel(`${first}: ${size(mask)}`, mask), this.panel(`${second || "at random"}: ${size(other)}`, other)];
      }
      this.resize();
      this.restate();
    }

    panel(title, mask) {
      const box = make("div", "map-panel"), canvas = make("canvas"), over = make("canvas", "over");
      over.tabIndex = 0;
      over.setAttribute("role", "img");
      over.setAttribute("aria-label", `A map of ${shown(this.count)} texts by meaning. Arrow keys move it, + and - zoom, 0 shows all.`);
      if (title) box.append(make("div", "map-title", title));
      box.append(canvas, over);
      this.stage.append(box);
      const panel = { box, canvas, over, mask, pixels: new Pixels(canvas), state: new Uint8Array(this.count).fill(FULL) };
      this.listen(panel);
      return panel;
    }

    // Drawing -------------------------------------------------------------------------------------------------------

    resize() {
      this.ratio = Math.min(window.devicePixelRatio || 1, 2);
      this.fit();
      for (const panel of this.panels) {
        const { clientWidth, clientHeight } = panel.box;
        [panel.width, panel.height] = [Math.max(clientWidth, 2), Math.max(clientHeight, 2)];
        const [width, height] = [panel.width, panel.height].map((one) => Math.round(one * this.ratio));
        if (panel.canvas.width !== width || panel.canvas.height !== height) {
          panel.pixels.resize(width, height);
          [panel.over.width, panel.over.height] = [width, height];
        }
      }
      this.redraw();
    }

    paint() {
      this.mix();
      this.restate();
    }

    // Give the panels the shape of the map, as far as the window has room.
    fit() {
      const { clientWidth } = this.panels[0].box, least = 240, most = Math.max(least, Math.min(innerHeight * 0.72, 680));
      const high = Math.round(Math.min(Math.max((clientWidth * this.extent[1]) / this.extent[0], least), most));
      for (const { box } of this.panels) box.style.height = `${high}px`;
    }

    // Take the colours of the field, of the theme in force.
    mix() {
      const { field } = this, dark = isDark();
      const own = field.kind === "score" ? this.ramp(dark) : field.values.map((value, place) => this.colourOf(value, place, dark));
      const all = resolve(["var(--card)", "var(--map-faint)", ...own], this.element), low = new Uint8Array(256);
      own.forEach((colour, place) => { low[place] = colour === "var(--other)" ? 1 : 0; });
      this.palette = { paper: all[0], faint: all[1], colours: all.subarray(2), low };
      this.names = own;
    }

    colourOf(value, place, dark) {
      if (this.field.name === "fate") return value === "kept" ? "var(--kept)" : "var(--dropped)";
      if (PLAIN.test(value)) return "var(--other)";
      const turn = Math.floor(place / HUES.length), light = (dark ? 0.74 : 0.6) + (turn % 2 ? 0.1 : 0) - (place % 2) * 0.06;
      return `oklch(${light} ${turn > 1 ? 0.07 : 0.135} ${HUES[place % HUES.length]})`;
    }

    ramp(dark) {
      const stops = dark ? [[0.42, 0.13, 290], [0.64, 0.12, 200], [0.9, 0.16, 105]] : [[0.86, 0.13, 100], [0.6, 0.12, 185], [0.34, 0.14, 285]];
      return Array.from({ length: SCORES + 1 }, (_, step) => {
        if (step === SCORES) return "var(--other)";
        const at = (step / (SCORES - 1)) * 2, low = Math.min(Math.floor(at), 1), part = at - low;
        const [l, c, h] = stops[low].map((one, k) => one + (stops[low + 1][k] - one) * part);
        return `oklch(${l.toFixed(3)} ${c.toFixed(3)} ${h.toFixed(1)})`;
      });
    }

    // The state of every point in every panel, from the legend's hidden entries, the sets and the chosen points.
    restate() {
      const off = new Uint8Array(this.count);
      for (const [name, values] of this.hidden) {
        const codes = this.data.arrays[name];
        if (values.size) for (let i = 0; i < this.count; i++) if (values.has(codes[i])) off[i] = 1;
      }
      for (const { state, mask } of this.panels) {
        for (let i = 0; i < this.count; i++) {
          state[i] = off[i] ? HIDDEN : (mask && !mask[i]) || (this.chosen && !this.chosen.has(i)) ? FAINT : FULL;
        }
      }
      this.writeLegend(off);
      this.redraw();
    }

    redraw() {
      if (this.due) return;
      this.due = requestAnimationFrame(() => { this.due = 0; this.drawNow(); });
    }

    drawNow() {
      const codes = this.data.arrays[this.field.name];
      for (const panel of this.panels) {
        const view = this.view(panel, this.ratio);
        const room = Math.sqrt((panel.width * panel.height) / this.count) * 0.19;
        const radius = Math.min(Math.max(room, 0.8) * this.zoom ** 0.3, 5) * this.ratio;
        panel.pixels.draw(this.data, codes, panel.state, view, this.palette, radius);
        this.drawOver(panel, radius);
      }
      this.frames = (this.frames ?? 0) + 1;
      this.element.dataset.drawn = "yes";
    }

    view(panel, ratio = 1) {
      const [width, height] = [panel.width * ratio, panel.height * ratio];
      const scale = Math.min(width / this.extent[0], height / this.extent[1]) * 0.92 * this.zoom;
      return { scale, left: width / 2 - this.x * scale, top: height / 2 - this.y * scale };
    }

    drawOver(panel, radius) {
      const context = panel.over.getContext("2d"), { scale, left, top } = this.view(panel, this.ratio);
      context.clearRect(0, 0, panel.over.width, panel.over.height);
      const style = getComputedStyle(this.element);
      if (this.field.name === "cluster") this.nameClusters(context, panel, style, { scale, left, top });
      context.lineWidth = 2 * this.ratio;
      context.strokeStyle = style.color;
      if (this.hovered >= 0) {
        context.beginPath();
        context.arc(this.data.x[this.hovered] * scale + left, this.data.y[this.hovered] * scale + top, radius + 3 * this.ratio, 0, 7);
        context.stroke();
      }
      if (this.line?.panel === panel && this.line.points.length > 2) {
        context.beginPath();
        for (let k = 0; k < this.line.points.length; k += 2) {
          context.lineTo(this.line.points[k] * scale + left, this.line.points[k + 1] * scale + top);
        }
        context.closePath();
        context.setLineDash([5 * this.ratio, 4 * this.ratio]);
        context.stroke();
        context.setLineDash([]);
      }
    }

    nameClusters(context, panel, style, { scale, left, top }) {
      context.font = `600 ${11.5 * this.ratio}px ${style.fontFamily}`;
      context.textAlign = "center";
      context.lineJoin = "round";
      context.lineWidth = 4 * this.ratio;
      context.strokeStyle = `rgb(${[0, 8, 16].map((by) => (this.palette.paper >>> by) & 255).join(" ")} / .85)`;
      context.fillStyle = style.color;
      const taken = [];
      this.middles ??= this.clusterMiddles();
      this.middles.forEach(([x, y], place) => {
        if (this.hidden.get("cluster").has(place)) return;
        const text = this.field.values[place].split(": ").pop(), wide = context.measureText(text).width / 2 + 6;
        const [px, py, high] = [x * scale + left, y * scale + top, 9 * this.ratio];
        if (px < wide || px > panel.over.width - wide || py < high || py > panel.over.height - high) return;
        if (taken.some(([a, b, w]) => Math.abs(a - px) < w + wide && Math.abs(b - py) < 2 * high)) return;
        taken.push([px, py, wide]);
        context.strokeText(text, px, py);
        context.fillText(text, px, py);
      });
    }

    // The point of each cluster that is in the middle of its points, each axis by itself.
    clusterMiddles() {
      const codes = this.data.arrays.cluster, middle = (numbers) => numbers.sort()[numbers.length >> 1] ?? -9;
      return this.field.values.map((_, place) => {
        const own = (axis) => middle(axis.filter((_, i) => codes[i] === place));
        return [own(this.data.x), own(this.data.y)];
      });
    }
  }

  Object.assign(EmbeddingMap, { PLAIN, make, button, shown, figure, nearest, within, FULL, NEAR, STEP, MOST_ZOOM, SCORES });
  window.EmbeddingMap = EmbeddingMap;
  window.mapRead = read;
})();
