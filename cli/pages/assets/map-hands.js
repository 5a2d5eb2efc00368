// The hands of a map of embeddings: the legend, the pointer, the keyboard, the lasso, and what a point is. At the end it
// makes the maps of the page.
"use strict";
(() => {
  const { PLAIN, make, button, shown, figure, nearest, within, NEAR, STEP, MOST_ZOOM, SCORES } = window.EmbeddingMap;

  const hands = {
    writeLegend(off) {
      const { field } = this, codes = this.data.arrays[field.name], own = this.hidden.get(field.name);
      const counts = this.panels.map(({ mask }) => {
        const found = new Uint32Array(256);
        for (let i = 0; i < this.count; i++) {
          const isOut = (mask && !mask[i]) || (this.chosen && !this.chosen.has(i));
          if (!isOut && (!off[i] || own.has(codes[i]))) found[codes[i]]++;
        }
        return found;
      });
      const of = (place) => counts.map((found) => found[place]);
      this.legend.replaceChildren(make("div", "map-legend-title", field.title));
      if (field.kind === "score") this.writeRamp(field, of(SCORES));
      else field.values.forEach((value, place) => this.legend.append(this.entry(field, value, place, of(place))));
      const hidden = [...this.hidden.values()].some((values) => values.size);
      if (hidden) {
        this.legend.append(button("Show all", "", () => {
          for (const values of this.hidden.values()) values.clear();
          this.restate();
        }));
      }
      this.say();
    },

    entry(field, value, place, counts) {
      const values = this.hidden.get(field.name);
      const element = button("", "", () => {
        if (!values.delete(place)) values.add(place);
        const focused = [...this.legend.querySelectorAll("button")].indexOf(document.activeElement);
        this.restate();
        this.legend.querySelectorAll("button")[focused]?.focus();
      });
      element.className = "map-entry";
      element.setAttribute("aria-pressed", !values.has(place));
      element.title = value;
      const swatch = make("span", "map-swatch");
      swatch.style.background = this.names[place];
      element.append(swatch, make("span", "map-name", value), make("span", "map-count", counts.map(shown).join(" | ")));
      return element;
    },

    writeRamp(field, counts) {
      const bar = make("div", "map-ramp"), ends = make("div", "map-ends");
      bar.style.background = `linear-gradient(to right, ${[0, 64, 127, 190, 254].map((step) => this.names[step]).join(", ")})`;
      ends.append(make("span", "", figure(field.low)), make("span", "", figure(field.high)));
      this.legend.append(bar, ends);
      if (counts.some(Boolean)) this.legend.append(this.entry(field, "(no score)", SCORES, counts));
    },

    say() {
      this.status.replaceChildren();
      if (!this.chosen) {
        this.status.append(this.data.notes.join(" "));
        return;
      }
      const size = this.chosen.size;
      this.status.append(`${shown(size)} ${size === 1 ? "point" : "points"} chosen. `);
      if (this.source.select && size) {
        for (const [name, points] of this.byKind()) {
          this.status.append(button(`Show ${shown(points.length)} ${name} in the table`, "", () => this.source.select(points)
            .catch((error) => { this.status.append(` ${error.message}`); })));
        }
      }
      this.status.append(button("Clear", "Choose none", () => this.choose(null)));
    },

    // The chosen points of each kind, as each has a table of its own.
    byKind() {
      const field = this.data.fields.find(({ name }) => name === "kind"), points = [...this.chosen];
      if (!field) return [["points", points]];
      const of = (place) => points.filter((point) => this.data.arrays.kind[point] === place);
      return field.values.map((value, place) => [`${value}s`, of(place)]).filter(([, own]) => own.length);
    },

    // Take points as the chosen ones, or null for none.
    choose(points) {
      this.chosen = points && new Set(points);
      this.restate();
      this.element.dispatchEvent(new CustomEvent("map-lasso", { detail: { points: points ?? [] } }));
    },

    // Moving --------------------------------------------------------------------------------------------------------

    zoomBy(factor, panel = this.panels[0], px = panel.width / 2, py = panel.height / 2) {
      const before = this.at(panel, px, py);
      this.zoom = Math.min(Math.max(this.zoom * factor, 0.5), MOST_ZOOM);
      const after = this.at(panel, px, py);
      this.x += before.x - after.x;
      this.y += before.y - after.y;
      this.keepNear();
      this.redraw();
    },

    moveBy(panel, dx, dy) {
      const { scale } = this.view(panel);
      this.x -= dx / scale;
      this.y -= dy / scale;
      this.keepNear();
      this.redraw();
    },

    keepNear() {
      for (const [axis, place] of [["x", 0], ["y", 1]]) {
        const most = this.extent[place] / 2;
        this[axis] = Math.min(Math.max(this[axis], this.centre[place] - most), this.centre[place] + most);
      }
    },

    // A place of a panel in the map's own units.
    at(panel, px, py) {
      const { scale, left, top } = this.view(panel);
      return { x: (px - left) / scale, y: (py - top) / scale };
    },

    listen(panel) {
      const { over } = panel, fingers = new Map();
      const place = (event) => {
        const box = over.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
      over.addEventListener("wheel", (event) => {
        if (!event.deltaY) return;
        event.preventDefault();
        this.zoomBy(Math.exp(-Math.max(-60, Math.min(60, event.deltaY)) * (event.ctrlKey ? 0.012 : 0.005)), panel, ...place(event));
      }, { passive: false });
      over.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        over.setPointerCapture(event.pointerId);
        fingers.set(event.pointerId, place(event));
        this.moved = 0;
        if ((this.lassoing || event.shiftKey) && fingers.size === 1) this.line = { panel, points: [] };
      });
      over.addEventListener("pointermove", (event) => {
        const [px, py] = place(event), before = fingers.get(event.pointerId);
        if (!before) return this.hover(panel, px, py, event);
        this.moved += Math.hypot(px - before[0], py - before[1]);
        this.leave();
        if (this.line && fingers.size === 1) {
          const { x, y } = this.at(panel, px, py);
          this.line.points.push(x, y);
          this.redraw();
        } else if (fingers.size === 2) {
          this.line = null;
          this.pinch(panel, fingers, event.pointerId, [px, py]);
        } else this.moveBy(panel, px - before[0], py - before[1]);
        fingers.set(event.pointerId, [px, py]);
      });
      const up = (event) => {
        if (!fingers.delete(event.pointerId)) return;
        if (this.line) this.closeLine();
        else if (event.type === "pointerup" && this.moved < 5) this.click(panel, ...place(event), event);
      };
      over.addEventListener("pointerup", up);
      over.addEventListener("pointercancel", up);
      over.addEventListener("pointerleave", () => this.leave());
      over.addEventListener("keydown", (event) => this.key(panel, event));
    },

    pinch(panel, fingers, moving, [px, py]) {
      const [other] = [...fingers].filter(([id]) => id !== moving).map(([, at]) => at), before = fingers.get(moving);
      const spread = Math.hypot(px - other[0], py - other[1]), was = Math.hypot(before[0] - other[0], before[1] - other[1]);
      this.moveBy(panel, (px - before[0]) / 2, (py - before[1]) / 2);
      if (was > 4) this.zoomBy(spread / was, panel, (px + other[0]) / 2, (py + other[1]) / 2);
    },

    key(panel, event) {
      const move = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
      if (move) this.moveBy(panel, ...move);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.3);
      else if (event.key === "-") this.zoomBy(1 / 1.3);
      else if (event.key === "0") { this.home(); this.redraw(); }
      else if (event.key === "Escape" && this.chosen) this.choose(null);
      else return;
      event.preventDefault();
    },

    closeLine() {
      const { panel, points } = this.line;
      this.line = null;
      if (points.length >= 6) {
        const before = this.chosen;
        this.chosen = null; // a new line chooses among all points that are shown
        if (before) this.restate();
        this.choose(within(this.data.x, this.data.y, panel.state, points));
      } else this.redraw();
    },

    // Points --------------------------------------------------------------------------------------------------------

    find(panel, px, py, reach) {
      return nearest(this.index, this.data.x, this.data.y, panel.state, this.at(panel, px, py), reach / this.view(panel).scale);
    },

    hover(panel, px, py, event) {
      const point = event.pointerType === "touch" ? -1 : this.find(panel, px, py, NEAR);
      panel.over.classList.toggle("on-point", point >= 0);
      if (point < 0) return this.leave();
      if (point !== this.hovered) {
        this.hovered = point;
        this.redraw();
        this.tell(point, this.tip, () => this.hovered === point);
      }
      this.tip.hidden = false;
      const { offsetWidth, offsetHeight } = this.tip;
      const left = event.clientX + 14 + offsetWidth > innerWidth ? event.clientX - 14 - offsetWidth : event.clientX + 14;
      const top = event.clientY + 14 + offsetHeight > innerHeight ? event.clientY - 10 - offsetHeight : event.clientY + 14;
      this.tip.style.left = `${Math.max(4, left)}px`;
      this.tip.style.top = `${Math.max(4, top)}px`;
    },

    leave() {
      this.tip.hidden = true;
      if (this.hovered >= 0) { this.hovered = -1; this.redraw(); }
    },

    click(panel, px, py, event) {
      const point = this.find(panel, px, py, event.pointerType === "mouse" ? NEAR : 2 * NEAR);
      this.details.hidden = point < 0;
      if (point < 0) return;
      this.tell(point, this.details, () => true).then((known) => {
        if (known?.url && event.pointerType === "mouse") location.assign(known.url);
      });
    },

    // Write what a point is into an element, with its text as soon as it is there.
    async tell(point, element, still) {
      const facts = make("div", "map-facts");
      for (const field of this.data.fields) {
        const code = this.data.arrays[field.name][point];
        if (field.kind === "score" && field !== this.field) continue;
        if (field.kind === "category" && PLAIN.test(field.values[code])) continue;
        const value = field.kind === "category" ? field.values[code]
          : code === SCORES ? "(no score)" : figure(field.low + (code / (SCORES - 1)) * (field.high - field.low));
        const row = make("div"), name = make("span", "", field.title);
        row.append(name, value);
        facts.append(row);
      }
      const text = make("div", "map-text", this.texts.has(point) ? "" : "…");
      text.dir = "auto";
      element.replaceChildren(text, facts);
      try {
        if (!this.texts.has(point)) this.texts.set(point, await this.source.point(point));
      } catch (error) {
        text.textContent = error.message;
        return null;
      }
      if (!still()) return null;
      const known = this.texts.get(point);
      text.textContent = known.text || "(no text)";
      const row = make("div"), id = make("code", "", known.id);
      row.append(make("span", "", "Id"), id);
      if (known.url && element === this.details) {
        const link = make("a", "", "Open this row");
        link.href = known.url;
        row.append(" ", link);
      }
      facts.append(row);
      return known;
    },
  };
  Object.assign(window.EmbeddingMap.prototype, hands);

  function bytes(text) {
    return Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer;
  }

  async function fetched(address, options) {
    const answer = await fetch(address, { credentials: "same-origin", ...options });
    if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
    return answer;
  }

  // A bit for each point, in base64: a thousand points of a hundred thousand are still one short field.
  function bits(points, count) {
    const held = new Uint8Array(Math.ceil(count / 8));
    for (const point of points) held[point >> 3] |= 1 << (point & 7);
    let text = "";
    for (const one of held) text += String.fromCharCode(one);
    return btoa(text);
  }

  async function start(element) {
    const { map, src, point, select } = element.dataset;
    if (map) {
      const { data, ids, texts } = JSON.parse(document.getElementById(map).textContent);
      const known = (i) => Promise.resolve({ id: ids[i], text: texts[i] });
      element.map = new window.EmbeddingMap(element, window.mapRead(bytes(data)), { point: known });
      if (element.dataset.beside) element.map.show(element.dataset.beside);
      return;
    }
    const data = window.mapRead(await (await fetched(src)).arrayBuffer());
    element.map = new window.EmbeddingMap(element, data, {
      point: async (i) => (await fetched(`${point}/${data.key}/${i}`)).json(),
      select: async (points) => {
        const body = new URLSearchParams({ key: data.key, points: bits(points, data.points) });
        location.assign((await (await fetched(select, { method: "POST", body })).json()).url);
      },
    });
  }

  for (const element of document.querySelectorAll(".map[data-map], .map[data-src]")) {
    start(element).catch((error) => { element.replaceChildren(make("p", "empty", error.message)); });
  }
})();
