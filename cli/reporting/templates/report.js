// The report's own script: the theme's button, the contents that follow the reader, and the two scores that are chosen.
"use strict";
(() => {
  const root = document.documentElement;

  const button = document.querySelector("[data-theme-button]");
  button.hidden = false;
  button.addEventListener("click", () => {
    const dark = (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    root.dataset.theme = dark ? "light" : "dark";
  });

  const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
  const list = document.querySelector(".contents ol");
  const seen = new Set();
  const follow = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
    const current = scrollY < 200 ? [...links.keys()][0] : [...links.keys()].find((id) => seen.has(id));
    if (!current) return;
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
    const link = links.get(current);  // on a phone the contents are a line that scrolls
    if (list.scrollWidth > list.clientWidth) list.scrollTo({ left: link.offsetLeft - list.clientWidth / 3 });
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const id of links.keys()) follow.observe(document.getElementById(id));

  const held = document.getElementById("score-pairs-data");
  if (!held) return;
  const { axes, points, colours, spec } = JSON.parse(held.textContent);
  const section = document.getElementById("score_pairs");
  const chart = section.querySelector(".chart");
  const target = document.getElementById("score-pairs-spec");
  const chosen = (name) => Number(section.querySelector(`[data-axis="${name}"]`).value);

  // A number from -0.5 to 0.5 that a point always gets: what moves it a little.
  function jitter(text, salt) {
    let hash = salt;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
    return ((hash >>> 8) & 0xffff) / 0xffff - 0.5;
  }
  function shake(values) {
    const different = [...new Set(values)].sort((a, b) => a - b);
    if (different.length > 40) return 0;
    const gaps = different.slice(1).map((value, at) => value - different[at]);
    return gaps.length ? Math.min(...gaps) * 0.6 : 0.1;
  }
  function show() {
    const x = chosen("x"), y = chosen("y");
    const both = points.filter((one) => one[x + 2] != null && one[y + 2] != null);
    const byX = shake(both.map((one) => one[x + 2])), byY = shake(both.map((one) => one[y + 2]));
    const drawn = structuredClone(spec);
    drawn.encoding.x.title = axes[x];
    drawn.encoding.y.title = axes[y];
    drawn.data = { values: both.map((one) => ({
      x: one[x + 2] + byX * jitter(one[0], 1), y: one[y + 2] + byY * jitter(one[0], 2), colour: colours[one[1]],
      tip: `${one[0]}: ${one[x + 2]} and ${one[y + 2]}`,
    })) };
    target.textContent = JSON.stringify(drawn);
    section.querySelector("[data-count]").textContent = `${both.length.toLocaleString("en")} candidates have both`;
    window.gristmillCharts.redraw(chart);
  }
  for (const select of section.querySelectorAll("select")) select.addEventListener("change", show);
  show();
})();
