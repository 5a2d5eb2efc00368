// Keys, labels and sliders of the viewer. Everything is also there without them, but for labelling and the live count.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const memory = { get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
                   set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* private windows */ } } };

  // What was done, said for a moment.
  let hide = 0;
  const say = (text, bad = false) => {
    const said = one("#said");
    said.textContent = text;
    said.className = bad ? "on bad" : "on";
    clearTimeout(hide);
    hide = setTimeout(() => { said.className = ""; }, bad ? 6000 : 1600);
  };

  // Light or dark: as the system has it, or as chosen.
  const theme = memory.get("gristmill-theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const switchTheme = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    memory.set("gristmill-theme", root.dataset.theme);
  };

  // Labels ----------------------------------------------------------------------------------------------------------
  const give = async (fields, into) => {
    let answer, text;
    try {
      answer = await fetch("/label", { method: "POST", body: new URLSearchParams(fields), headers: { "HX-Request": "true" } });
      text = await answer.text();
    } catch {
      say("gristmill view does not answer: was it ended?", true);
      return false;
    }
    const holder = document.createElement("template");
    holder.innerHTML = text; // of our own server, where every text is escaped
    if (!answer.ok) {
      say(holder.content.textContent.trim() || `refused (${answer.status})`, true);
      return false;
    }
    if (into) into.replaceChildren(holder.content);
    say(fields.label === "clear" ? "labels taken back" : `labelled: ${fields.label}`);
    return true;
  };
  const panel = () => one(".labelling");
  const onward = () => { if (one("[data-onward]")?.checked) one("[data-after]")?.click(); };
  const labelRow = async (label, more = {}) => {
    const place = panel();
    if (!place) return;
    const pair = place.dataset.pair !== undefined;
    const fields = { row_id: place.dataset.labelling || place.dataset.pair, label, ...more };
    if (pair && label === "clear") fields.from = "pair";
    const holder = document.createElement("div");
    if (await give(fields, holder)) {
      one("#given")?.replaceWith(...holder.childNodes);
      if (["keep", "drop", "prefer"].includes(label)) onward();
    }
  };
  const prefer = (side) => {
    const { pair, over } = panel().dataset;
    const [better, worse] = side === "left" ? [pair, over] : [over, pair];
    mark(side);
    return labelRow("prefer", { row_id: better, over: worse });
  };
  const mark = (side) => all(".buttons [data-prefer]").forEach((b) => b.classList.toggle("primary", b.dataset.prefer === side));
  const write = (name) => {
    const form = one(`[data-form="${name}"]`);
    if (!form) return;
    all("[data-form]").forEach((other) => { other.hidden = other !== form; });
    one("textarea", form).focus();
  };
  const leave = () => all("[data-form]").forEach((form) => { form.hidden = true; });

  // A table's rows ----------------------------------------------------------------------------------------------------
  const rows = () => all("tr[data-row]");
  const at = () => one("tr[data-row].at");
  let chosen = ""; // the address of the chosen row, which may come again with other rows
  const choose = (row) => {
    if (!row) return;
    chosen = row.dataset.href.split("?")[0];
    at()?.classList.remove("at");
    row.classList.add("at");
    row.scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const every = rows(), place = every.indexOf(at());
    choose(every[place < 0 ? (by > 0 ? 0 : every.length - 1) : Math.min(Math.max(place + by, 0), every.length - 1)]);
  };
  const open = (row, hash = "") => { if (row) location.href = row.dataset.href + hash; };
  const labelInTable = async (label) => {
    const row = at();
    if (!row) { say("choose a row with ↓ first"); return; }
    if (!row.dataset.labelId) { say(one("table[data-rows=pairs]") ? "open the pair to choose the better answer" : "these rows take no label"); return; }
    const done = await give({ row_id: row.dataset.labelId, label, from: "table" }, one(".by-hand", row));
    if (done && label !== "clear") step(1);
  };
  const chooseAgain = (address) => { if (address) choose(rows().find((row) => row.dataset.href.split("?")[0] === address)); };

  // Keys ------------------------------------------------------------------------------------------------------------
  const typing = (target) => target.matches?.("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=range])");
  const moves = (key) => key.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(key); // a slider, if one has the focus
  const shared = { "/": () => one("input[type=search]")?.focus(), "?": () => one("#keys").showModal() };
  const inTable = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), Enter: () => open(at()),
    k: () => labelInTable("keep"), d: () => labelInTable("drop"), u: () => labelInTable("clear"),
    e: () => open(at(), "#edit"), n: () => open(at(), "#note"),
    ".": () => one(".pager [rel=next]")?.click(), ",": () => one(".pager [rel=prev]")?.click(),
  };
  const onRow = {
    ".": () => one("[data-after]")?.click(), ",": () => one("[data-before]")?.click(),
    ArrowRight: () => one("[data-after]")?.click(), ArrowLeft: () => one("[data-before]")?.click(),
    Escape: () => one("[data-back]")?.click(),
    k: () => labelRow("keep"), d: () => labelRow("drop"), u: () => labelRow("clear"), e: () => write("edit"), n: () => write("note"),
  };
  const onPair = {
    ...onRow, k: undefined, d: undefined, e: undefined, n: undefined,
    1: () => prefer("left"), 2: () => prefer("right"), ArrowLeft: () => prefer("left"), ArrowRight: () => prefer("right"),
    u: () => { mark(""); return labelRow("clear"); },
  };
  const keys = () => (one("[data-pair]") ? onPair : one("table[data-rows]") ? inTable : onRow);
  document.addEventListener("keydown", (event) => {
    if (one("dialog[open]")) return;
    const text = event.target.closest?.("textarea");
    if (text && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      text.form?.requestSubmit();
      event.preventDefault();
      return;
    }
    if (event.key === "Escape" && event.target.matches?.("textarea, select, input")) {
      event.preventDefault(); // or a search would be emptied
      event.target.blur();
      leave();
      return;
    }
    if (event.key === "ArrowDown" && event.target.matches?.("input[type=search]")) {
      event.target.blur();
      step(1);
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.target.matches?.("[type=range]") && moves(event.key)) return;
    if (event.key === "Enter" && event.target.closest?.("a, button, summary")) return;
    const action = keys()[event.key] ?? shared[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  // Clicks and forms --------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const target = event.target;
    if (!(target instanceof Element)) return;
    const button = target.closest("button");
    if (button?.dataset.label) labelRow(button.dataset.label);
    else if (button?.dataset.prefer) prefer(button.dataset.prefer);
    else if (button?.dataset.write) write(button.dataset.write);
    else if (button && "leave" in button.dataset) leave();
    else if (button && "keys" in button.dataset) one("#keys").showModal();
    else if (button && "themeSwitch" in button.dataset) switchTheme();
    else if (button?.dataset.sort !== undefined) sortBy(button.dataset.sort);
    else if (button?.dataset.example) one("#query").value = button.dataset.example;
    else if (button?.dataset.clear) takeBack(button);
    else if (!button && !target.closest("a, summary, input, select")) {
      const row = target.closest("tr[data-row]");
      if (row && !String(getSelection())) { choose(row); open(row); }
    }
  });
  const sortBy = (name) => {
    one("#sort").value = name;
    one("#filters").dispatchEvent(new Event("sorted"));
  };
  const takeBack = async (button) => { if (await give({ row_id: button.dataset.clear, label: "clear" }, null)) location.reload(); }; // other labels of the row go too
  document.addEventListener("submit", async (event) => {
    const name = event.target.dataset?.form;
    if (!name) return;
    event.preventDefault();
    const field = one("textarea", event.target);
    if (!field.value.trim()) { say("nothing is written yet", true); return; }
    await labelRow(name, { text: field.value });
    leave();
    if (name === "note") field.value = "";
  });
  document.addEventListener("input", (event) => {
    const slider = event.target.closest?.(".slider");
    if (!slider) return;
    const [low, high] = all("input", slider);
    if (Number(low.value) > Number(high.value)) (event.target === low ? high : low).value = event.target.value;
    const short = (text) => Number(Number(text).toPrecision(4)).toLocaleString("en");
    one("output", slider).textContent = `${short(low.value)} – ${short(high.value)}`;
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-onward]")) memory.set("gristmill-onward", event.target.checked ? "yes" : "");
    if (!event.target.matches?.("[data-by]")) return;
    const address = new URL(location.href);
    address.searchParams.set("by", event.target.value);
    location.href = address;
  });

  // A page, once it is there ----------------------------------------------------------------------------------------------
  document.addEventListener("DOMContentLoaded", () => {
    one("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }); // on a phone it may be out of sight
    const filters = one("[data-filters]");
    const narrow = matchMedia("(max-width: 62rem)");
    const fold = () => { if (filters) filters.open = !narrow.matches; }; // on a phone they would hide the rows
    fold();
    narrow.addEventListener("change", fold);
    const box = one("[data-onward]");
    if (box) box.checked = memory.get("gristmill-onward") === "yes";
    if (panel()) sessionStorage.setItem("gristmill-last", location.pathname);
    if (one("table[data-rows]")) chooseAgain(sessionStorage.getItem("gristmill-last"));
    if (["#edit", "#note"].includes(location.hash)) write(location.hash.slice(1));
  });
  document.addEventListener("htmx:afterSwap", () => { if (!at()) chooseAgain(chosen); });
  document.addEventListener("htmx:responseError", (event) => {
    const holder = document.createElement("template");
    holder.innerHTML = event.detail.xhr.responseText;
    say(holder.content.textContent.trim() || "refused", true);
  });
  document.addEventListener("htmx:sendError", () => say("gristmill view does not answer: was it ended?", true));
})();
