// The points of a map of embeddings: read from bytes (the format is in map_data.py), found near a place or within a line,
// and drawn as pixels. No library and no WebGL: 100,000 points are some million pixels, which plain arrays hold.
"use strict";
window.mapPoints = (() => {
  const TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array };
  const SIDE = 65535, CELLS = 128;
  const HIDDEN = 0, FAINT = 1, FULL = 2;

  // The header of a map with its arrays: x and y from 0 to 1, codes by field name, sets.
  function read(buffer) {
    const bytes = new DataView(buffer);
    if (buffer.byteLength < 8 || bytes.getUint32(0) !== 0x474d4150) throw new Error("this is no map");
    const size = bytes.getUint32(4, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
    const arrays = {};
    for (const { name, type, at, length } of header.arrays) arrays[name] = new TYPES[type](buffer, 8 + size + at, length);
    const unit = (whole) => Float32Array.from(whole, (one) => one / SIDE);
    return { ...header, arrays, x: unit(arrays.x), y: unit(arrays.y) };
  }

  // Points by the cell of a grid that they are in: those of cell c are order[starts[c] .. starts[c + 1]].
  function grid(x, y) {
    const count = x.length, cell = new Uint16Array(count), starts = new Uint32Array(CELLS * CELLS + 1);
    const place = (one) => Math.min(CELLS - 1, (one * CELLS) | 0);
    for (let i = 0; i < count; i++) starts[(cell[i] = place(y[i]) * CELLS + place(x[i])) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
    const next = starts.slice(), order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[next[cell[i]]++] = i;
    return { starts, order };
  }

  // The point nearest to a place within a distance, of those that are shown in full; -1 if there is none.
  function nearest({ starts, order }, x, y, state, at, within) {
    const first = (one) => Math.max(0, Math.min(CELLS - 1, Math.floor((one - within) * CELLS)));
    const last = (one) => Math.max(0, Math.min(CELLS - 1, Math.floor((one + within) * CELLS)));
    let found = -1, least = within * within;
    for (let row = first(at.y); row <= last(at.y); row++) {
      for (let c = row * CELLS + first(at.x); c <= row * CELLS + last(at.x); c++) {
        for (let k = starts[c]; k < starts[c + 1]; k++) {
          const i = order[k], dx = x[i] - at.x, dy = y[i] - at.y, square = dx * dx + dy * dy;
          if (state[i] === FULL && square <= least) { least = square; found = i; }
        }
      }
    }
    return found;
  }

  // The points within a closed line, [x, y, x, y, ...], of those that are shown in full.
  function within(x, y, state, line) {
    const found = [], sides = line.length / 2;
    let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
    for (let s = 0; s < sides; s++) {
      left = Math.min(left, line[2 * s]); right = Math.max(right, line[2 * s]);
      top = Math.min(top, line[2 * s + 1]); bottom = Math.max(bottom, line[2 * s + 1]);
    }
    for (let i = 0; i < x.length; i++) {
      const a = x[i], b = y[i];
      if (state[i] !== FULL || a < left || a > right || b < top || b > bottom) continue;
      let inside = false;
      for (let s = 0, before = sides - 1; s < sides; before = s++) {
        const y1 = line[2 * s + 1], y2 = line[2 * before + 1];
        if (y1 > b !== y2 > b && a < ((line[2 * before] - line[2 * s]) * (b - y1)) / (y2 - y1) + line[2 * s]) {
          inside = !inside;
        }
      }
      if (inside) found.push(i);
    }
    return found;
  }

  // A disc as offsets from its middle, with how much of each pixel it covers, of 256.
  function disc(radius, width) {
    const offsets = [], covers = [], reach = Math.ceil(radius);
    for (let dy = -reach; dy <= reach; dy++) {
      for (let dx = -reach; dx <= reach; dx++) {
        const cover = Math.round(256 * Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(dx, dy))));
        if (cover > 12) { offsets.push(dy * width + dx); covers.push(cover); }
      }
    }
    return { offsets: Int32Array.from(offsets), covers: Uint16Array.from(covers), reach };
  }

  // Draws on a canvas of its own size in pixels.
  class Pixels {
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    }

    resize(width, height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.image = this.context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }

    // Draw points: first the faint ones, then those whose code is of no interest, then the others.
    //   codes, state  of each point
    //   view          {scale, left, top}, in pixels
    //   colours       of each code, as ABGR; paper and faint: of what is under them
    //   low           whether a code is of no interest
    draw({ x, y }, codes, state, view, { colours, paper, faint, low }, radius) {
      this.pixels.fill(paper);
      const level = new Uint8Array(state.length), counts = [0, 0, 0, 0];
      for (let i = 0; i < state.length; i++) {
        counts[level[i] = state[i] === HIDDEN ? 0 : state[i] === FAINT ? 1 : low[codes[i]] ? 2 : 3]++;
      }
      for (const which of [1, 2, 3]) {
        if (counts[which]) this.stamp(x, y, codes, level, which, view, which === 1 ? null : colours, faint, radius);
      }
      this.context.putImageData(this.image, 0, 0);
    }

    stamp(x, y, codes, level, which, { scale, left, top }, colours, one, radius) {
      const { pixels } = this, width = this.canvas.width, height = this.canvas.height;
      const { offsets, covers, reach } = disc(radius, width);
      const parts = offsets.length, right = width - reach - 1, bottom = height - reach - 1;
      for (let i = 0; i < x.length; i++) {
        if (level[i] !== which) continue;
        const px = (x[i] * scale + left) | 0, py = (y[i] * scale + top) | 0;
        if (px <= reach || px >= right || py <= reach || py >= bottom) continue;
        const base = py * width + px, colour = colours ? colours[codes[i]] : one;
        for (let k = 0; k < parts; k++) {
          const at = base + offsets[k], cover = covers[k];
          if (cover === 256) { pixels[at] = colour; continue; }
          const under = pixels[at], rest = 256 - cover;
          const red = ((colour & 0xff00ff) * cover + (under & 0xff00ff) * rest) >>> 8;
          const green = ((colour & 0xff00) * cover + (under & 0xff00) * rest) >>> 8;
          pixels[at] = 0xff000000 | (red & 0xff00ff) | (green & 0xff00);
        }
      }
    }
  }

  // Colours in CSS as ABGR numbers: variables are those of an element, in the theme in force.
  function resolve(colours, element) {
    const probe = document.createElement("i");
    probe.hidden = true;
    element.append(probe);
    const canvas = document.createElement("canvas");
    canvas.width = colours.length;
    canvas.height = 1;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    colours.forEach((colour, place) => {
      probe.style.color = colour;
      context.fillStyle = getComputedStyle(probe).color;
      context.fillRect(place, 0, 1, 1);
    });
    probe.remove();
    return new Uint32Array(context.getImageData(0, 0, colours.length, 1).data.buffer.slice(0));
  }

  return { read, grid, nearest, within, resolve, Pixels, HIDDEN, FAINT, FULL };
})();
