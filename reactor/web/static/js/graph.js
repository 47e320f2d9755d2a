// The graph as a picture: drawn once, then only lit up.

import { Camera } from "./camera.js";
import { s } from "./dom.js";
import { arrange, stretch } from "./layout.js";
import { stateOf } from "./model.js";
import { ago, between, now, place } from "./words.js";

const ICONS = {
  kafka: "M3 4h8M3 8h11M3 12h6",
  files: "M4 2h6l3 3v9H4zM10 2v3h3",
  schema: "M2.5 3h11v10h-11zM2.5 6.5h11M7 6.5V13",
  schedule: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.2l2.2 1.6",
  webhook: "M8 2v7M5 6l3 3 3-3M3 11v3h10v-3",
  other: "M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
};
const KINDS = { sensor: "sensors", rule: "rules", asset: "assets" };
// How nodes are drawn: with a second line of text, or, in a large pipeline, dense and in larger type.
const ROOMY = {
  gap: 14,
  height: { sensor: 42, rule: 26, asset: 46 },
  widest: { sensor: 170, rule: 150, asset: 200 },
  narrowest: { sensor: 116, rule: 36, asset: 118 },
  around: { sensor: 48, rule: 20, asset: 42 },
  font: { sensor: "560 13px", asset: "560 13px", rule: "400 11px" },
};
const DENSE = {
  gap: 7,
  height: { sensor: 32, rule: 28, asset: 32 },
  widest: { sensor: 220, rule: 150, asset: 260 },
  narrowest: { sensor: 90, rule: 36, asset: 110 },
  around: { sensor: 52, rule: 20, asset: 44 },
  font: { sensor: "560 17px", asset: "560 17px", rule: "400 14px" },
};
const MANY = 50;

export class Picture {
  #nodes = new Map();
  #edges = [];
  #drawn = new Map();
  #selected = null;

  constructor(view, model) {
    this.view = view;
    this.model = model;
    this.scene = s("g");
    view.replaceChildren(this.scene);
    this.camera = new Camera(view, this.scene, (scale) => view.classList.toggle("far", scale < 0.5));
    view.addEventListener("click", (event) => this.#click(event));
    view.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Draws the whole pipeline anew. */
  draw() {
    const measure = measurer(this.view);
    const style = this.model.graph.assets.length > MANY ? DENSE : ROOMY;
    const size = (kind, text) => ({
      width: Math.max(style.narrowest[kind], Math.min(style.widest[kind], measure(style.font[kind], text, kind) + style.around[kind])),
      height: style.height[kind],
    });
    const frame = this.view.getBoundingClientRect();
    const { nodes, edges, ...box } = stretch(arrange(this.model.graph, size, style.gap), frame.height / Math.max(1, frame.width));
    this.view.classList.toggle("dense", style === DENSE);
    this.#nodes = nodes;
    this.#edges = edges;
    this.#drawn.clear();
    for (const edge of edges) {
      edge.line = s("path", { d: edge.path, class: `edge ${edge.kind}`, "data-from": edge.from, "data-to": edge.to });
    }
    for (const node of nodes.values()) this.#drawn.set(node.id, this.#drawnNode(node, style, measure));
    this.scene.replaceChildren(s("g", {}, edges.map((edge) => edge.line)), s("g", {}, [...this.#drawn.values()]));
    this.#reach([...nodes.keys()][0]);
    this.camera.over(box);
    this.camera.home(false);
    this.refresh();
  }

  #drawnNode(node, style, measure) {
    const { kind, width, height } = node;
    const left = -width / 2;
    const top = -height / 2;
    const radius = { sensor: height / 2, rule: 7, asset: 10 }[kind];
    const frame = { x: left, y: top, width, height, rx: radius };
    const parts = [s("title", {}, node.label), s("rect", { class: "halo", ...frame }), s("rect", { class: "box", ...frame })];
    const shown = fitting(node.label, style.font[kind], width - style.around[kind], (font, text) => measure(font, text, kind));
    if (kind === "rule") {
      parts.push(s("text", { class: "title", x: 0, y: style === DENSE ? 5 : 4, "text-anchor": "middle" }, shown));
    } else {
      const mark =
        kind === "asset"
          ? s("circle", { class: "dot", cx: left + 17, cy: style === DENSE ? 0 : -5.5, r: 4.5 })
          : s("path", { class: "icon", d: ICONS[node.about.kind] ?? ICONS.other, transform: `translate(${left + 13} -8)` });
      const text = left + (kind === "asset" ? 30 : 36);
      parts.push(mark, s("text", { class: "title", x: text, y: style === DENSE ? 6 : -1 }, shown), s("text", { class: "note", x: text, y: 14 }));
    }
    return s(
      "g",
      { class: `node ${kind}`, transform: `translate(${node.x} ${node.y})`, tabindex: "-1", role: "link", "data-id": node.id },
      parts,
    );
  }

  /** Brings every node up to date with the model. */
  refresh() {
    for (const node of this.#nodes.values()) this.#refreshNode(node);
  }

  #refreshNode(node) {
    const drawn = this.#drawn.get(node.id);
    if (node.kind === "asset") {
      const asset = this.model.assets.get(node.name);
      if (!asset) return;
      const state = stateOf(asset);
      set(drawn, "data-state", state.status);
      drawn.classList.toggle("paused", Boolean(asset.paused));
      this.#note(node, drawn, noteOf(asset, state));
    } else if (node.kind === "sensor") {
      const sensor = this.model.sensors.get(node.name);
      if (!sensor) return;
      drawn.classList.toggle("down", sensor.up === false);
      drawn.classList.toggle("paused", Boolean(sensor.paused));
      this.#note(node, drawn, sensor.paused ? "paused" : sensor.up === false ? "not reached" : sensor.last ? ago(sensor.last) : node.about.kind);
    } else {
      const rule = this.model.graph.rules.find((one) => one.name === node.name);
      drawn.classList.toggle("observe", Boolean(rule?.observe));
      drawn.classList.toggle("paused", Boolean(rule?.paused));
      set(drawn, "aria-label", `rule ${node.label}`);
    }
  }

  #note(node, drawn, text) {
    const note = drawn.querySelector(".note");
    if (note.textContent !== text) note.textContent = text;
    set(drawn, "aria-label", `${node.kind} ${node.label}, ${text}`);
  }

  /** Shows a piece of news where it happened. */
  news(item) {
    if (item.kind === "event") this.#light(`sensor:${item.sensor}`);
    else if (item.kind === "fired") {
      const rule = `rule:${item.rule}`;
      this.#light(rule);
      this.#flow((edge) => edge.to === rule || edge.from === rule);
    } else if (item.kind === "step") {
      const id = `asset:${item.asset}`;
      if (item.status === "running") this.#flow((edge) => edge.to === id && edge.from.startsWith("asset:"));
      if (item.status === "materialized") this.#light(id, "fresh", 2600);
    }
    for (const id of [`asset:${item.asset}`, `sensor:${item.sensor ?? item.name}`, `${item.what}:${item.name}`]) {
      const node = this.#nodes.get(id);
      if (node) this.#refreshNode(node);
    }
  }

  #light(id, how = "lit", length = 900) {
    const drawn = this.#drawn.get(id);
    if (!drawn) return;
    drawn.classList.add(how);
    clearTimeout(drawn[how]);
    drawn[how] = setTimeout(() => drawn.classList.remove(how), length);
  }

  #flow(wanted) {
    for (const edge of this.#edges) {
      if (!wanted(edge)) continue;
      edge.line.classList.add("flowing");
      clearTimeout(edge.timer);
      edge.timer = setTimeout(() => edge.line.classList.remove("flowing"), 1100);
    }
  }

  /** Marks a node as the selected one, with what it depends on and what depends on it; null for none. */
  select(id) {
    this.#drawn.get(this.#selected)?.classList.remove("selected");
    this.#selected = this.#nodes.has(id) ? id : null;
    this.view.classList.toggle("focused", this.#selected !== null);
    if (this.#selected === null) return;
    const near = new Set([...this.#reached(id, "from", "to"), ...this.#reached(id, "to", "from")]);
    for (const [other, drawn] of this.#drawn) drawn.classList.toggle("near", near.has(other));
    for (const edge of this.#edges) edge.line.classList.toggle("near", near.has(edge.from) && near.has(edge.to));
    this.#drawn.get(id).classList.add("selected");
    this.#reach(id);
    this.camera.show(this.#nodes.get(id));
  }

  /** Shows which assets a run touched. */
  touch(assets) {
    this.select(null);
    const ids = new Set(assets.map((name) => `asset:${name}`));
    this.view.classList.toggle("focused", ids.size > 0);
    for (const [id, drawn] of this.#drawn) drawn.classList.toggle("near", ids.has(id));
    for (const edge of this.#edges) edge.line.classList.toggle("near", ids.has(edge.from) && ids.has(edge.to));
    const nodes = [...ids].map((id) => this.#nodes.get(id)).filter(Boolean);
    if (nodes.length) this.camera.show(...nodes);
  }

  #reached(id, here, there) {
    const seen = new Set([id]);
    const stack = [id];
    while (stack.length) {
      const at = stack.pop();
      for (const edge of this.#edges) {
        if (edge[here] === at && !seen.has(edge[there])) {
          seen.add(edge[there]);
          stack.push(edge[there]);
        }
      }
    }
    return seen;
  }

  /** Makes a node the one that Tab comes to. */
  #reach(id) {
    this.scene.querySelector('.node[tabindex="0"]')?.setAttribute("tabindex", "-1");
    this.#drawn.get(id)?.setAttribute("tabindex", "0");
  }

  #open(id) {
    const node = this.#nodes.get(id);
    if (node) location.hash = place(KINDS[node.kind], node.name);
  }

  #click(event) {
    if (this.camera.dragged) return;
    const node = event.target.closest?.(".node");
    if (node) this.#open(node.dataset.id);
    else location.hash = "#/";
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target.closest?.(".node")?.dataset.id;
    const steps = {
      Enter: () => this.#open(at),
      " ": () => this.#open(at),
      Escape: () => (location.hash = "#/"),
      "+": () => this.camera.zoom(1.3),
      "=": () => this.camera.zoom(1.3),
      "-": () => this.camera.zoom(1 / 1.3),
      0: () => this.camera.fit(),
      ArrowRight: () => this.#walk(at, 1, 0),
      ArrowLeft: () => this.#walk(at, -1, 0),
      ArrowDown: () => this.#walk(at, 0, 1),
      ArrowUp: () => this.#walk(at, 0, -1),
    };
    if (!steps[event.key]) return;
    event.preventDefault();
    steps[event.key]();
  }

  /** Moves the focus along an edge (left, right), or to the nearest node above or below. */
  #walk(id, right, down) {
    const here = this.#nodes.get(id);
    if (!here) return;
    const joined = new Set(
      this.#edges.flatMap((edge) => (right > 0 && edge.from === id ? [edge.to] : right < 0 && edge.to === id ? [edge.from] : [])),
    );
    const far = (node) => Math.hypot((node.x - here.x) * (down ? 3 : 1), (node.y - here.y) * (right ? 3 : 1));
    const ahead = [...this.#nodes.values()].filter(
      (node) => node !== here && (right ? joined.has(node.id) : Math.sign(node.y - here.y) === down),
    );
    const next = ahead.sort((a, b) => far(a) - far(b))[0];
    if (!next) return;
    this.#reach(next.id);
    this.#drawn.get(next.id).focus({ preventScroll: true });
    this.camera.show(next);
  }
}

function noteOf(asset, state) {
  if (asset.paused) return "paused";
  switch (state.status) {
    case "running":
      return now() - Date.parse(state.at) < 1000 ? "running" : `running ${between(state.at)}`;
    case "pending":
    case "blocked":
    case "held":
    case "retrying":
      return state.status === "pending" ? "waiting" : state.status;
    case "failed":
      return `failed ${ago(state.at)}`;
    case "never":
      return "not yet";
    default:
      return ago(asset.last ?? state.at);
  }
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Answers how wide a text is, in the fonts of the page. */
function measurer(view) {
  const pen = document.createElement("canvas").getContext("2d");
  const style = getComputedStyle(view);
  const family = { rule: style.getPropertyValue("--mono"), other: style.getPropertyValue("--sans") };
  return (font, text, kind) => {
    pen.font = `${font} ${family[kind] ?? family.other}`;
    return pen.measureText(text).width;
  };
}

/** As much of a text as fits, cut in the middle, since names differ at their ends. */
function fitting(text, font, width, measure) {
  if (measure(font, text) <= width + 0.5) return text;
  const letters = [...text].slice(0, 200);
  const cut = (kept) => [...letters.slice(0, kept - Math.floor(kept / 3)), "…", ...[...text].slice(-Math.floor(kept / 3) || Infinity)].join("");
  let [low, high] = [1, letters.length];
  while (low < high) {
    const kept = Math.ceil((low + high) / 2);
    if (measure(font, cut(kept)) <= width) low = kept;
    else high = kept - 1;
  }
  return cut(low);
}
