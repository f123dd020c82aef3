"use strict";
// The cluster as a map, on one canvas: 5,000 nodes are 5,000 small rectangles, not 5,000 elements.
// Who points or moves with the arrow keys gets the details of a node as text; everything that can be
// seen is in tables as well. Nothing is fetched: the data stands in the page.
(() => {
  const holder = document.getElementById("scene");
  if (!holder) return;
  const scene = JSON.parse(holder.textContent);
  const byId = (id) => document.getElementById(id);
  const canvas = byId("map-canvas"), frame = byId("map-frame"), mark = byId("map-mark");
  const pen = canvas.getContext("2d");
  const nodes = scene.nodes, count = nodes.name.length;
  const SIZES = [[48, 74, 46, 8], [160, 40, 30, 5], [600, 22, 22, 3], [2000, 15, 15, 2], [Infinity, 10, 10, 2]];
  const LABEL = 17, PALETTE = 8, NAMES_MAX = 12, PAGE = 100;
  const left = new Float64Array(count), top_ = new Float64Array(count);
  let titles = [], height = 0, colours = {}, state = 0, run = 0, resource = 0, gang = -1, chosen = -1, page = 0;
  let podsOf = [], wide = 0, tall = 0, gap = 0, named = false; // of one node, in pixels

  // ---- data ----
  function pick(number) {
    run = number;
    const pods = scene.runs[run].pods;
    podsOf = Array.from({ length: count }, () => []);
    pods.node.forEach((node, i) => podsOf[node].push(i));
    const rank = (i) => { const g = scene.kinds[pods.kind[i]][0]; return g < 0 ? 1e9 : g; };
    podsOf.forEach((list) => list.sort((a, b) => rank(a) - rank(b) || a - b));
  }
  function present(node) {
    const { start, end } = scene.runs[run].pods;
    return podsOf[node].filter((i) => start[i] <= state && state < end[i]);
  }
  const gangOf = (i) => scene.kinds[scene.runs[run].pods.kind[i]][0];
  const amountOf = (i, r) => scene.kinds[scene.runs[run].pods.kind[i]][1][r];
  const isNew = (i) => state > 0 && scene.runs[run].pods.start[i] === state;
  const used = (list, r) => list.reduce((sum, i) => sum + amountOf(i, r), 0);
  const written = (amount, r) => {
    const [, , unit, one] = scene.resources[r];
    const value = amount / one;
    return (Number.isInteger(value) ? String(value) : value.toFixed(1)) + (unit ? " " + unit : "");
  };

  // ---- where everything is ----
  function layout() {
    const width = frame.clientWidth;
    const blocks = scene.blocks.map((place, number) => ({ place, own: [], number }));
    nodes.block.forEach((block, i) => blocks[block].own.push(i));
    const without = blocks.filter(({ own }) => own.every((node) => !nodes.room[node][resource]));
    without.forEach(({ own }) => own.forEach((node) => { left[node] = top_[node] = NaN; }));
    const lacking = without.reduce((sum, { own }) => sum + own.length, 0);
    [, wide, tall, gap] = SIZES.find(([nodesMax]) => count - lacking <= nodesMax);
    named = wide > 70;
    const most = Math.max(1, Math.floor((width + gap) / (wide + gap)));
    titles = [];
    let x = 0, y = 0, rowEnd = 0, pool = null;
    for (const { place, own } of blocks.filter((block) => !without.includes(block))) {
      const needed = Math.ceil(96 / (wide + gap));
      const columns = Math.min(most, Math.max(Math.ceil(Math.sqrt(own.length * 1.8)), needed, named ? 4 : 1));
      const rows = Math.ceil(own.length / columns), boxWide = columns * (wide + gap) - gap;
      if (place[0] !== pool) {
        y = pool === null ? 0 : rowEnd + 12; x = 0; pool = place[0];
        if (pool) { titles.push([0, y + 13, pool, width, true]); y += LABEL + 4; }
        rowEnd = y;
      }
      if (x > 0 && x + boxWide > width) { x = 0; y = rowEnd + 10; }
      const down = place[1] ? LABEL : 0;
      if (place[1]) titles.push([x, y + 12, place[1], Math.max(boxWide, 60), false]);
      own.forEach((node, i) => {
        left[node] = x + (i % columns) * (wide + gap);
        top_[node] = y + down + Math.floor(i / columns) * (tall + gap);
      });
      rowEnd = Math.max(rowEnd, y + down + rows * (tall + gap) - gap);
      x += Math.max(boxWide, 60) + 18;
    }
    height = rowEnd + 2;
    const name = scene.resources[resource][1];
    byId("map-without").textContent = lacking ? `${lacking.toLocaleString("en")} nodes without ${name} are not drawn; fill by something else to see them.` : "";
    const dense = Math.min(window.devicePixelRatio || 1, 2, 16000 / Math.max(height, 1));
    canvas.width = Math.round(width * dense); canvas.height = Math.round(height * dense);
    canvas.style.height = height + "px";
    pen.setTransform(dense, 0, 0, dense, 0, 0);
  }

  // ---- drawing ----
  const drawn = (node) => node >= 0 && !Number.isNaN(left[node]);
  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue("--" + name).trim();
    colours = { ink: value("ink"), soft: value("soft"), track: value("track"), run: value("run"), fresh: value("s0"), rule: value("edge") };
    colours.gangs = Array.from({ length: PALETTE }, (_, i) => value("g" + i));
    colours.font = getComputedStyle(document.body).fontFamily;
  }
  function draw() {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    for (const [x, y, text, room, strong] of titles) {
      pen.fillStyle = strong ? colours.ink : colours.soft;
      pen.font = (strong ? "600 13px " : "12px ") + colours.font;
      pen.fillText(fitting(text, room), x, y);
    }
    const bar = named ? 17 : 0;
    for (let node = 0; node < count; node++) if (drawn(node)) drawNode(node, bar);
    pen.globalAlpha = 1;
    legend();
    if (byId("node-table").open) table();
  }
  function drawNode(node, bar) {
    const x = left[node], y = top_[node] + bar, high = tall - bar, room = nodes.room[node][resource];
    pen.globalAlpha = 1;
    if (named) {
      pen.fillStyle = colours.soft; pen.font = "12px " + colours.font;
      pen.fillText(fitting(nodes.name[node], wide), x, top_[node] + 12);
    }
    if (!room) { pen.strokeStyle = colours.rule; pen.strokeRect(x + 0.5, y + 0.5, wide - 1, high - 1); return; }
    pen.fillStyle = colours.track; pen.fillRect(x, y, wide, high);
    let from = high;
    for (const i of present(node)) {
      const part = Math.min(amountOf(i, resource) / room * high, from);
      if (part <= 0) continue;
      const own = gangOf(i);
      pen.globalAlpha = gang >= 0 && own !== gang ? 0.22 : 1;
      pen.fillStyle = own >= 0 ? colours.gangs[own % PALETTE] : isNew(i) ? colours.fresh : colours.run;
      pen.fillRect(x, y + from - part, wide, named && part > 3 ? part - 1 : part);
      from -= part;
    }
  }
  function fitting(text, room) {
    if (pen.measureText(text).width <= room) return text;
    let end = text.length;
    while (end > 1 && pen.measureText("…" + text.slice(-end)).width > room) end--;
    return "…" + text.slice(-end);
  }
  function where() {
    if (gang < 0) return "";
    let pods = 0;
    const held = nodes.name.map((_, node) => node).filter((node) => {
      const own = present(node).filter((i) => gangOf(i) === gang).length;
      pods += own;
      return own > 0;
    });
    const places = [...new Set(held.map((node) => scene.blocks[nodes.block[node]].filter(Boolean).join(", ")))].filter(Boolean);
    return `. ${scene.gangs[gang]}: ${pods} pods on ${held.length} nodes${places.length ? ` (${places.slice(0, 3).join("; ")}${places.length > 3 ? " and others" : ""})` : ""}`;
  }
  function legend() {
    const room = nodes.room.reduce((sum, each) => sum + each[resource], 0);
    let busy = 0, held = 0;
    for (let node = 0; node < count; node++) {
      const list = present(node);
      busy += list.length > 0; held += used(list, resource);
    }
    const [, name] = scene.resources[resource];
    byId("map-sum").textContent = `${scene.runs[run].states[state]}: ${busy.toLocaleString("en")} of ${count.toLocaleString("en")} nodes have pods; ${room ? Math.round(100 * held / room) : 0} % of all ${name} in use${where()}`;
  }

  // ---- one node, as text ----
  function say(node) {
    chosen = drawn(node) ? node : -1;
    mark.hidden = chosen < 0;
    const panel = byId("map-node");
    panel.classList.toggle("picked", chosen >= 0);
    if (chosen < 0) { panel.replaceChildren(byId("map-hint").content.cloneNode(true)); return; }
    Object.assign(mark.style, { left: left[node] - 3 + "px", top: top_[node] - 3 + "px", width: wide + 6 + "px", height: tall + 6 + "px" });
    const list = present(node), parts = [];
    const place = scene.blocks[nodes.block[node]].filter(Boolean).join(", ");
    parts.push(element("h3", nodes.name[node]), element("p", place || "no pool", "soft"));
    const facts = scene.resources.flatMap(([, name], r) => nodes.room[node][r] ? [element("dt", name), element("dd", `${written(used(list, r), r)} of ${written(nodes.room[node][r], r)}`)] : []);
    parts.push(element("dl", facts));
    const names = list.slice(0, NAMES_MAX).map(podLine);
    if (list.length > NAMES_MAX) names.push(element("li", `and ${list.length - NAMES_MAX} more`, "soft"));
    parts.push(element("p", list.length === 1 ? "1 pod" : `${list.length} pods`), element("ul", names));
    panel.replaceChildren(...parts);
  }
  function podLine(i) {
    const own = gangOf(i), dot = element("span", "", "dot");
    dot.style.background = own >= 0 ? colours.gangs[own % PALETTE] : isNew(i) ? colours.fresh : colours.run;
    const line = element("li", [dot, scene.runs[run].pods.name[i]]);
    if (own >= 0) line.append(element("span", ` gang ${scene.gangs[own]}`, "soft"));
    else if (isNew(i)) line.append(element("span", " placed now", "soft"));
    return line;
  }
  function element(tag, content, style) {
    const made = document.createElement(tag);
    if (Array.isArray(content)) made.append(...content); else made.textContent = content;
    if (style) made.className = style;
    return made;
  }

  // ---- pointing and moving ----
  function nodeAt(event) {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    for (let node = 0; node < count; node++) {
      if (x >= left[node] - gap / 2 && x < left[node] + wide + gap / 2 && y >= top_[node] - gap / 2 && y < top_[node] + tall + gap / 2) return node;
    }
    return -1;
  }
  const first = () => nodes.name.findIndex((_, node) => drawn(node));
  const last = () => nodes.name.findLastIndex((_, node) => drawn(node));
  function towards(dx, dy) {
    let best = chosen, least = Infinity;
    for (let node = 0; node < count; node++) {
      const ahead = (left[node] - left[chosen]) * dx + (top_[node] - top_[chosen]) * dy;
      const aside = Math.abs((left[node] - left[chosen]) * dy + (top_[node] - top_[chosen]) * dx);
      if (ahead > 0.5 && ahead + 4 * aside < least) { least = ahead + 4 * aside; best = node; }
    }
    return best;
  }
  canvas.addEventListener("pointermove", (event) => { const node = nodeAt(event); if (node !== chosen && node >= 0) say(node); });
  canvas.addEventListener("pointerdown", (event) => { const node = nodeAt(event); if (node >= 0) say(node); });
  frame.addEventListener("focus", () => { if (chosen < 0) say(first()); });
  frame.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: () => towards(-1, 0), ArrowRight: () => towards(1, 0), ArrowUp: () => towards(0, -1), ArrowDown: () => towards(0, 1), Home: first, End: last, Escape: () => -1 };
    const step = steps[event.key];
    if (!step || first() < 0) return;
    if (chosen < 0 && event.key !== "Escape") chosen = first();
    event.preventDefault();
    say(step());
    if (chosen >= 0) mark.scrollIntoView({ block: "nearest" });
  });

  // ---- the same as a table ----
  function table() {
    const wanted = byId("node-search").value.trim().toLowerCase();
    const found = nodes.name.map((_, i) => i).filter((i) => nodes.name[i].toLowerCase().includes(wanted));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(page, pages - 1);
    const rows = found.slice(page * PAGE, (page + 1) * PAGE).map((node) => {
      const list = present(node), gangs = [...new Set(list.map(gangOf))].filter((g) => g >= 0).map((g) => scene.gangs[g]);
      const head = element("th", nodes.name[node]);
      head.scope = "row";
      const shares = scene.resources.map((_, r) => element("td", nodes.room[node][r] ? `${written(used(list, r), r)} of ${written(nodes.room[node][r], r)}` : "–"));
      return element("tr", [head, element("td", scene.blocks[nodes.block[node]].filter(Boolean).join(", ") || "–", "text"), element("td", String(list.length)), ...shares, element("td", gangs.slice(0, 4).join(", ") || "–", "text")]);
    });
    byId("node-rows").replaceChildren(...rows);
    byId("node-state").textContent = scene.runs[run].states[state];
    byId("node-page").textContent = `${found.length.toLocaleString("en")} nodes, page ${page + 1} of ${pages}`;
    byId("node-before").disabled = page === 0;
    byId("node-after").disabled = page >= pages - 1;
  }
  byId("node-table").addEventListener("toggle", () => { if (byId("node-table").open) table(); });
  byId("node-search").addEventListener("input", () => { page = 0; table(); });
  byId("node-before").addEventListener("click", () => { page--; table(); });
  byId("node-after").addEventListener("click", () => { page++; table(); });

  // ---- switches ----
  function show() { draw(); if (chosen >= 0) say(chosen); }
  function stateInput() {
    const last = scene.runs[run].states.length - 1, slider = byId("map-slider");
    state = slider ? fullest() : last;
    if (slider) { slider.max = last; slider.value = state; said(); }
  }
  function fullest() {
    const { start, end } = scene.runs[run].pods, changes = new Array(scene.runs[run].states.length + 1).fill(0);
    start.forEach((from, i) => { changes[from]++; changes[end[i]]--; });
    let best = 0, most = -1, held = 0;
    changes.slice(0, -1).forEach((change, i) => { held += change; if (held > most) { most = held; best = i; } });
    return best;
  }
  function said() {
    const slider = byId("map-slider");
    slider.setAttribute("aria-valuetext", scene.runs[run].states[state]);
    byId("map-at").textContent = scene.runs[run].states[state];
  }
  for (const input of document.querySelectorAll("input[name=map-state]")) input.addEventListener("change", () => { state = Number(input.value); show(); });
  byId("map-slider")?.addEventListener("input", (event) => { state = Number(event.target.value); said(); show(); });
  byId("map-resource").addEventListener("change", (event) => { resource = Number(event.target.value); again(); });
  byId("map-run")?.addEventListener("change", (event) => { pick(Number(event.target.value)); stateInput(); show(); });
  for (const button of document.querySelectorAll("button[data-gang]")) button.addEventListener("click", () => {
    gang = gang === Number(button.dataset.gang) ? -1 : Number(button.dataset.gang);
    for (const each of document.querySelectorAll("button[data-gang]")) each.setAttribute("aria-pressed", String(Number(each.dataset.gang) === gang));
    draw();
  });

  // ---- light and dark, paper, other widths ----
  function again() { readColours(); layout(); draw(); say(chosen); }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", () => { document.documentElement.classList.add("paper"); chosen = -1; again(); });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("paper"); again(); });
  let before = 0;
  new ResizeObserver(() => { if (frame.clientWidth !== before) { before = frame.clientWidth; again(); } }).observe(frame);
  pick(0);
  stateInput();
  byId("map").hidden = false;
  before = frame.clientWidth;
  again();
})();
