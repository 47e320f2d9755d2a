// One asset, sensor, rule or event, and what came to nothing.

import { get, post } from "../api.js";
import { h } from "../dom.js";
import { stateOf } from "../model.js";
import { count, place } from "../words.js";
import { action, back, eventRow, facts, fateRow, firingRow, lasting, links, mark, runRow, since } from "./part.js";

const TELLING = new Set(["fired", "fate", "run"]);

/** A view that is read as a whole, and again when something concerns it. */
async function view(path, draw, concerns) {
  const element = h("div", { class: "detail" });
  const refresh = async () => {
    const found = await get(path);
    element.replaceChildren(back(), ...draw(found).flat(Infinity).filter(Boolean));
  };
  await refresh();
  return { element, refresh, concerns };
}

export function asset(model, name) {
  const draw = (found) => {
    const state = stateOf(model.assets.get(name) ?? { active: new Map(), ended: found.ended });
    return [
      h("p", { class: "kind" }, "asset"),
      h("h1", {}, found.name),
      h(
        "p",
        { class: "state" },
        mark(state.status),
        h("b", {}, state.status === "never" ? "not materialized yet" : state.status),
        state.status === "running" ? h("span", {}, "for ", lasting(state.at)) : "",
        found.paused ? h("span", {}, "and paused") : "",
      ),
      found.last ? h("p", { class: "kind" }, "last materialized ", since(found.last)) : "",
      state.note ? h("p", { class: "doc" }, state.note) : "",
      found.held && found.held !== state.note ? h("p", { class: "doc" }, `held by ${found.held}`) : "",
      found.doc ? h("p", { class: "doc" }, found.doc) : "",
      outOfDate(found),
      h("div", { class: "actions" }, launches(found)),
      h(
        "section",
        {},
        facts([
          ["upstream", found.upstream.length ? links("assets", found.upstream) : ""],
          ["downstream", found.downstream.length ? links("assets", found.downstream) : ""],
          ["launched by", found.rules.length ? links("rules", found.rules) : ""],
          ["partitions", partitions(found)],
          ["group", found.group],
          ["owner", found.owner],
        ]),
      ),
      materializations(found.materializations),
      found.runs.length
        ? h("section", {}, h("h2", {}, "Recent runs"), h("ul", { class: "rows" }, found.runs.map((run) => h("li", {}, runRow(run)))))
        : "",
    ];
  };
  return view(`/api/assets/${encodeURIComponent(name)}`, draw, (item) => item.asset === name || (item.kind === "run" && item.assets.includes(name)));
}

/** By what an asset is kept up to date, and how many of its partitions are there. */
function partitions(found) {
  if (!found.partitioned) return "";
  const kind = found.partitioned.length > 60 ? `${found.partitioned.slice(0, 60)}…` : found.partitioned;
  return `${found.partitions.toLocaleString()} made, of ${kind}`;
}

/** What of an asset is out of date, and why. */
function outOfDate(found) {
  if (!found.stale_count) return "";
  const more = found.stale_count - found.stale.length;
  const lines = found.stale.map((part) => `${part.partition === null ? "" : `${part.partition}: `}${part.why}`);
  if (more > 0) lines.push(`and ${more.toLocaleString()} more`);
  return h("section", { class: "stale" }, h("h2", {}, "Out of date"), h("p", { class: "doc" }, lines.join("\n")));
}

/** What an operator may launch of an asset. */
function launches(found) {
  const order = (about) => () => post("/api/materialize", { assets: [found.name], ...about });
  return [
    found.stale.some((part) => part.root) ? action("Bring up to date", order({ stale: true })) : "",
    found.partitioned ? action("Make what is missing", order({ missing: true })) : action("Materialize", order({})),
  ];
}

function materializations(all) {
  if (!all.length) return "";
  const [last] = all;
  return h(
    "section",
    {},
    h("h2", {}, "Last materialization", h("small", {}, since(last.at))),
    last.partition === null ? "" : h("p", {}, last.partition),
    last.handle === null ? "" : h("pre", {}, shown(last.handle)),
    last.metadata === null ? "" : h("pre", {}, shown(last.metadata)),
  );
}

/** JSON for people; a text as it is. */
function shown(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

export function sensor(model, name) {
  const draw = (found) => [
    h("p", { class: "kind" }, `${found.kind} sensor`),
    h("h1", {}, found.name),
    h("p", { class: "state" }, mark(found.up ? "succeeded" : "down"), h("b", {}, found.paused ? "paused" : found.up ? "up" : "not reached"), found.lag_seconds > 1 ? h("span", {}, `· ${Math.round(found.lag_seconds)} s behind`) : ""),
    found.why ? h("p", { class: "doc" }, found.why) : "",
    h("section", {}, facts([["listens to", h("code", {}, found.address)], ["feeds", found.rules.length ? links("rules", found.rules) : ""]])),
    h("section", {}, h("h2", {}, "Latest events"), eventList(found.events)),
  ];
  return view(`/api/sensors/${encodeURIComponent(name)}`, draw, (item) => item.sensor === name || (item.kind === "sensor" && item.name === name));
}

export function rule(model, name) {
  const draw = (found) => [
    h("p", { class: "kind" }, found.observe ? "rule, only observing" : "rule"),
    h("h1", {}, found.name),
    found.paused ? h("p", { class: "state" }, mark("held"), h("b", {}, "paused")) : "",
    h("pre", {}, found.trigger),
    h(
      "section",
      {},
      facts([
        ["listens to", found.sensors.length ? links("sensors", found.sensors) : ""],
        ["after", found.after.length ? links("assets", found.after) : ""],
        [found.observe ? "would launch" : "launches", links("assets", found.assets)],
        ["fired", found.fired ? since(found.fired) : "never"],
        ["as it is since", since(found.since)],
        ["in the last hour", lost(found.fates)],
      ]),
    ),
    found.raised.length ? h("section", {}, h("h2", {}, "Errors of its own code"), found.raised.map((one) => h("pre", { class: "error" }, `${one.event}: ${one.error}`))) : "",
    found.runs.length ? h("section", {}, h("h2", {}, "Recent runs"), h("ul", { class: "rows" }, found.runs.map((run) => h("li", {}, runRow(run))))) : "",
    h(
      "section",
      { "aria-label": "Firings" },
      h("h2", {}, "Last firings", found.observe ? h("small", {}, "only observed") : ""),
      found.firings.length ? h("ul", { class: "rows" }, found.firings.map((firing) => h("li", {}, firingRow(firing)))) : h("p", { class: "nothing" }, "It has not fired yet."),
    ),
  ];
  return view(`/api/rules/${encodeURIComponent(name)}`, draw, (item) => item.rule === name);
}

/** How many events came to nothing, by what became of them: `3 expired, 1 superseded`. */
function lost(fates) {
  return Object.entries(fates)
    .map(([word, number]) => `${number.toLocaleString()} ${word}`)
    .join(", ");
}

export function event(model, seq) {
  const rules = new Set();
  const draw = (found) => {
    for (const fate of found.fates) rules.add(fate.rule);
    return eventParts(found);
  };
  return view(`/api/events/${encodeURIComponent(seq)}`, draw, (item) => TELLING.has(item.kind) && rules.has(item.rule));
}

function eventParts(found) {
  return [
    h("p", { class: "kind links" }, "event of ", source(found.sensor)),
    h("h1", {}, found.subject || found.type),
    h("p", { class: "state" }, since(found.at)),
    h("section", {}, facts([["type", found.type], ["id", h("code", {}, found.id)], ["key", found.key], ["number", String(found.seq)]])),
    h(
      "section",
      { "aria-label": "Fates" },
      h("h2", {}, "What became of it"),
      found.fates.length ? h("ul", { class: "rows fates" }, found.fates.map((fate) => h("li", {}, fateRow(fate)))) : h("p", { class: "nothing" }, "No rule of today listens to its sensor."),
      found.fate_count > found.fates.length ? h("p", { class: "nothing" }, `and ${(found.fate_count - found.fates.length).toLocaleString()} more rules`) : "",
    ),
    payload(found),
    found.runs.length
      ? h(
          "section",
          {},
          h("h2", {}, "Launched"),
          h("ul", { class: "rows" }, found.runs.map((run) => h("li", {}, runRow(run)))),
          found.run_count > found.runs.length ? h("p", { class: "nothing" }, `and ${found.run_count - found.runs.length} more`) : "",
        )
      : "",
  ];
}

function source(sensor) {
  const asset = sensor.startsWith("asset:") ? sensor.slice(6) : null;
  return asset === null ? h("a", { href: place("sensors", sensor) }, sensor) : h("a", { href: place("assets", asset) }, asset);
}

function payload(event) {
  if (!event.size_bytes) return "";
  const size = h("small", {}, `${event.size_bytes.toLocaleString()} bytes`);
  const text = event.data === null && event.size_bytes > 4 ? "Too long to show." : shown(event.data);
  return h("section", {}, h("h2", {}, "Payload", size), h("pre", {}, text));
}

export function deadletters() {
  const draw = (found) => [
    h("h1", {}, "Dead letters"),
    h("p", { class: "doc" }, "Input that could not become an event. Nothing is lost: fix and replay it with reactor deadletters."),
    found.items.map((letter) =>
      h(
        "section",
        {},
        h("h2", {}, h("a", { href: place("sensors", letter.sensor) }, letter.sensor), h("small", {}, since(letter.at))),
        letter.subject ? h("p", {}, letter.subject) : "",
        h("pre", { class: "error" }, letter.error),
        h("p", { class: "kind" }, `number ${letter.seq} · ${letter.size_bytes.toLocaleString()} bytes`),
      ),
    ),
    found.items.length ? "" : h("p", { class: "nothing" }, `${count(0, "dead letter")}.`),
  ];
  return view("/api/deadletters?limit=30", draw, () => false);
}

function eventList(events) {
  return events.length
    ? h("ul", { class: "rows events" }, events.map((event) => h("li", {}, eventRow({ ...event, count: 1 }))))
    : h("p", { class: "nothing" }, "None yet.");
}
