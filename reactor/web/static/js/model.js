// What the page knows: the graph, what each asset is doing, the latest runs and events.

import { get } from "./api.js";
import { soon } from "./dom.js";
import { backfillOf, synchronise } from "./words.js";

const KEPT = 60;
const ACTIVE = new Set(["pending", "running", "retrying", "blocked", "held"]);
const TELLING = new Set(["event", "fired", "fate", "run"]);
const LOUDEST = ["running", "retrying", "held", "blocked", "pending"];

export class Model extends EventTarget {
  graph = null;
  assets = new Map();
  sensors = new Map();
  runs = [];
  events = [];
  alerts = [];
  backfills = [];
  holds = [];
  status = { name: "", running: 0, waiting: 0, ready: true, reasons: [] };

  #reading = null;
  #held = [];
  #count = soon(() => this.#readStatus(), 1000);
  #hold = soon(() => this.#readHolds(), 300);
  #ask = soon(() => this.#readEvents(), 1500);

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Reads everything anew; news that comes meanwhile is applied afterwards. */
  load() {
    this.#reading ??= this.#load().finally(() => {
      this.#reading = null;
      for (const item of this.#held.splice(0)) this.apply(item);
    });
    return this.#reading;
  }

  async #load() {
    const [status, graph, assets, sensors, runs, events, alerts, backfills, holds] = await Promise.all([
      get("/api/status"),
      get("/api/graph"),
      get("/api/assets"),
      get("/api/sensors"),
      get(`/api/runs?limit=${KEPT}&backfills=false`),
      get(`/api/events?limit=${KEPT}`),
      get("/api/alerts?open=true"),
      get(`/api/backfills?limit=${KEPT}`),
      get("/api/holds"),
    ]);
    synchronise(status.now);
    const changed = JSON.stringify(graph) !== JSON.stringify(this.graph);
    Object.assign(this, { status, graph, runs: runs.items, events: events.items.map(oneEvent), alerts, backfills: backfills.items, holds });
    this.sensors = new Map(sensors.map((sensor) => [sensor.name, sensor]));
    this.assets = new Map(assets.map((asset) => [asset.name, withActive(asset)]));
    this.#tell("loaded", { changed });
  }

  /** Takes one piece of news from the stream. */
  apply(item) {
    if (this.#reading) {
      this.#held.push(item);
      return;
    }
    const take = { event: this.#event, step: this.#step, run: this.#run, alert: this.#alert, backfill: this.#backfill, hold: this.#hold, sensor: this.#sensor, paused: this.#paused }[item.kind];
    take?.call(this, item);
    if (TELLING.has(item.kind)) this.#ask();
    this.#tell("news", item);
  }

  #event(item) {
    this.events = [item, ...this.events.filter((event) => event.seq !== item.seq)].slice(0, KEPT);
    const sensor = this.sensors.get(item.sensor);
    if (sensor) sensor.last = item.at;
  }

  #step(item) {
    const asset = this.assets.get(item.asset);
    if (!asset) return;
    if (ACTIVE.has(item.status)) asset.active.set(item.step, { status: item.status, at: item.at, note: item.note });
    else {
      asset.active.delete(item.step);
      if (item.status !== "skipped" && item.status !== "cancelled") asset.ended = { status: item.status, at: item.at, note: item.note };
      if (item.status === "materialized" || item.status === "unchanged") asset.last = item.at;
    }
    this.#count();
  }

  #run({ assets, ...item }) {
    if (backfillOf(item.rule)) return; // a backfill is shown as one thing
    item.asset_count = new Set(assets).size;
    const at = this.runs.findIndex((run) => run.id === item.id);
    if (at >= 0) this.runs[at] = { ...this.runs[at], ...item };
    else this.runs = [item, ...this.runs].sort((a, b) => b.id - a.id).slice(0, KEPT);
  }

  #alert(item) {
    this.alerts = this.alerts.filter((alert) => alert.key !== item.key);
    if (!item.resolved) this.alerts.unshift(item);
  }

  #backfill(item) {
    const at = this.backfills.findIndex((fill) => fill.id === item.id);
    if (at >= 0) this.backfills[at] = { ...this.backfills[at], ...item };
    else this.backfills = [item, ...this.backfills].sort((a, b) => b.id - a.id).slice(0, KEPT);
  }

  #sensor(item) {
    const sensor = this.sensors.get(item.name);
    if (sensor) Object.assign(sensor, { up: item.up, why: item.why });
  }

  #paused(item) {
    const found = {
      asset: this.assets.get(item.name),
      sensor: this.sensors.get(item.name),
      rule: this.graph?.rules.find((rule) => rule.name === item.name),
    }[item.what];
    if (found) found.paused = item.paused;
  }

  /** What became of the events shown: news tells only that they came. */
  async #readEvents() {
    try {
      const { items } = await get(`/api/events?limit=${KEPT}`);
      const known = new Map(items.map((event) => [event.seq, event]));
      this.events = this.events.map((event) => ({ ...event, ...became(known.get(event.seq) ?? event) }));
      this.#tell("became");
    } catch {
      // the stream says when the service is gone
    }
  }

  async #readHolds() {
    try {
      this.holds = await get("/api/holds");
      this.#tell("held");
    } catch {
      // the stream says when the service is gone
    }
  }

  async #readStatus() {
    try {
      this.status = await get("/api/status");
      this.#tell("counted");
    } catch {
      // the stream says when the service is gone
    }
  }
}

function oneEvent(event) {
  return { ...event, count: 1 };
}

function became({ status, status_text }) {
  return { status, status_text };
}

function withActive(asset) {
  const active = new Map(asset.active.map((step) => [step.step, step]));
  const ended = asset.ended ?? (asset.last ? { status: "materialized", at: asset.last } : null);
  return { ...asset, active, ended };
}

/** What an asset shows: the loudest of what its partitions do, else how it last ended. */
export function stateOf(asset) {
  for (const status of LOUDEST) {
    for (const step of asset.active.values()) if (step.status === status) return step;
  }
  return asset.ended ?? { status: "never" };
}
