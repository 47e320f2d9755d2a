// Where things go: sensors, rules and assets from left to right, laid out by dagre.

import { Graph, layout } from "../vendor/dagre/dagre.esm.js";

const ROOT = "root";

/**
 * Lays a pipeline out. `size(kind, text)` answers the width and height of a node, `gap` is the room
 * between two in a column. Answers `{ nodes, edges, x, y, width, height }`; a node's x and y are its
 * centre.
 */
export function arrange(pipeline, size, gap) {
  const { nodes, edges } = pieces(pipeline, size);
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: "LR", nodesep: gap, edgesep: gap / 2, ranksep: 38, ranker: "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  graph.setNode(ROOT, { width: 0, height: 0 });
  for (const node of nodes.values()) graph.setNode(node.id, { width: node.width, height: node.height });
  for (const node of nodes.values()) {
    // Everything hangs on one root, so that sensors stand in one column and nothing drifts away.
    if (node.kind === "sensor") graph.setEdge(ROOT, node.id, { weight: 4, minlen: 1 });
    else if (!edges.some((edge) => edge.to === node.id)) graph.setEdge(ROOT, node.id, { weight: 0, minlen: node.kind === "asset" ? 3 : 2 });
  }
  for (const edge of edges) graph.setEdge(edge.from, edge.to, { weight: edge.kind === "input" ? 3 : 1 });
  layout(graph);
  place(nodes, edges, graph);
  return { nodes, edges, ...bounds([...nodes.values()]) };
}

/** The nodes and edges of a pipeline, each edge once. */
function pieces(pipeline, size) {
  const nodes = new Map();
  const edges = new Map();
  const add = (kind, name, label, about) => {
    const id = `${kind}:${name}`;
    nodes.set(id, { id, kind, name, label, about, ...size(kind, label) });
  };
  const join = (from, to, kind) => {
    if (nodes.has(from) && nodes.has(to)) edges.set(`${from}\n${to}`, { from, to, kind });
  };
  for (const sensor of pipeline.sensors) add("sensor", sensor.name, sensor.name, sensor);
  for (const rule of pipeline.rules) add("rule", rule.name, labelOf(rule), rule);
  for (const asset of pipeline.assets) add("asset", asset.name, asset.name, asset);
  for (const rule of pipeline.rules) {
    for (const sensor of rule.sensors) join(`sensor:${sensor}`, `rule:${rule.name}`, "input");
    for (const asset of rule.after) join(`asset:${asset}`, `rule:${rule.name}`, "event");
    for (const asset of rule.assets) join(`rule:${rule.name}`, `asset:${asset}`, "launch");
  }
  for (const asset of pipeline.assets) {
    for (const upstream of asset.upstream) join(`asset:${upstream}`, `asset:${asset.name}`, "data");
  }
  return { nodes, edges: [...edges.values()] };
}

/** A rule is called by its trigger where that is short. */
function labelOf(rule) {
  return rule.trigger && rule.trigger.length <= Math.max(20, rule.name.length) ? rule.trigger : rule.name;
}

function place(nodes, edges, graph) {
  const columns = new Map();
  for (const node of nodes.values()) {
    const { x, y } = graph.node(node.id);
    Object.assign(node, { x, y });
    const column = Math.round(x);
    if (node.kind !== "rule" || !columns.has(column)) columns.set(column, Math.max(columns.get(column) ?? 0, node.width));
  }
  // One width a column, so that names stand below each other.
  for (const node of nodes.values()) if (node.kind !== "rule") node.width = columns.get(Math.round(node.x));
  for (const edge of edges) edge.points = route(edge, nodes, graph, columns);
}

/** Where an edge goes: level through the columns it crosses, bending only in the gaps between. */
function route(edge, nodes, graph, columns) {
  const from = nodes.get(edge.from);
  const to = nodes.get(edge.to);
  const start = { x: from.x + from.width / 2, y: from.y };
  const end = { x: to.x - to.width / 2, y: to.y };
  const points = [start];
  for (const { x, y } of graph.edge(edge.from, edge.to).points.slice(1, -1)) {
    const half = (columns.get(Math.round(x)) ?? 0) / 2;
    const crossed = half > 0 && x - half > start.x && x + half < end.x;
    if (crossed) points.push({ x: x - half, y }, { x: x + half, y });
  }
  return [...points, end];
}

/** Draws the picture taller or wider, within reason, towards the proportions of its frame. */
export function stretch(picture, proportion) {
  const { width, height } = picture;
  const taller = clamp((width * proportion) / height, 1, 1.7);
  const places = spread(picture, Math.max(0, height / proportion - width));
  for (const node of picture.nodes.values()) Object.assign(node, { x: places(node.x), y: node.y * taller });
  for (const edge of picture.edges) {
    for (const point of edge.points) Object.assign(point, { x: places(point.x), y: point.y * taller });
    edge.path = curve(edge.points);
  }
  return Object.assign(picture, bounds([...picture.nodes.values()]));
}

/** Where an x goes when the gaps between the columns share `more` room. */
function spread({ nodes }, more) {
  const columns = new Map();
  for (const { x, width } of nodes.values()) columns.set(x, Math.max(columns.get(x) ?? 0, width / 2));
  const stops = [...columns].sort(([a], [b]) => a - b);
  const each = clamp(more / Math.max(1, stops.length - 1), 0, 150);
  const known = stops.flatMap(([x, half], i) => [{ at: x - half, by: i * each }, { at: x + half, by: i * each }]);
  return (x) => {
    const next = known.findIndex(({ at }) => x <= at);
    if (next <= 0) return x + (next === 0 ? 0 : (known.at(-1)?.by ?? 0));
    const [a, b] = [known[next - 1], known[next]];
    return x + a.by + ((b.by - a.by) * (x - a.at)) / Math.max(1, b.at - a.at);
  };
}

/** A line that leaves and arrives level at each of its points. */
function curve(points) {
  let path = `M${round(points[0].x)},${round(points[0].y)}`;
  for (let i = 1; i < points.length; i += 1) {
    const [a, b] = [points[i - 1], points[i]];
    const middle = (a.x + b.x) / 2;
    path += a.y === b.y ? `H${round(b.x)}` : `C${round(middle)},${round(a.y)} ${round(middle)},${round(b.y)} ${round(b.x)},${round(b.y)}`;
  }
  return path;
}

function bounds(nodes) {
  if (nodes.length === 0) return { x: 0, y: 0, width: 1, height: 1 };
  const left = Math.min(...nodes.map((node) => node.x - node.width / 2));
  const top = Math.min(...nodes.map((node) => node.y - node.height / 2));
  const right = Math.max(...nodes.map((node) => node.x + node.width / 2));
  const bottom = Math.max(...nodes.map((node) => node.y + node.height / 2));
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function clamp(number, least, most) {
  return Math.min(most, Math.max(least, number));
}

function round(number) {
  return Math.round(number * 10) / 10;
}
