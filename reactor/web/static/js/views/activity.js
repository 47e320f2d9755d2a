// What happens now: open alerts, what is held, the latest runs, the latest events.

import { h, sync } from "../dom.js";
import { count, place } from "../words.js";
import { backfillRow, backfillSign } from "./backfill.js";
import { holdCard, holdSign } from "./hold.js";
import { eventRow, runRow } from "./part.js";

const ALERTS = 3;
const RUNS = 6;
const EVENTS = 9;

export function activity(model) {
  const alerts = h("div", { role: "alert" });
  const runs = h("ul", { class: "rows" });
  const events = h("ul", { class: "rows events" });
  const noRuns = h("p", { class: "nothing" }, "Nothing has run yet. A run appears here when a rule fires.");
  const noEvents = h("p", { class: "nothing" }, "No event has arrived yet.");
  const letters = h("small");
  const past = h("small");
  const filling = h("ul", { class: "rows backfills" });
  const backfills = h("section", { "aria-label": "Backfills" }, h("h2", {}, "Backfills", h("small", {}, h("a", { href: "#/backfills" }, "all"))), filling);
  const held = h("ul", { class: "holds" });
  const holds = h("section", { "aria-label": "Held" }, h("h2", {}, "Held by a schema change"), held);
  const sections = [
    h("section", { class: "problems" }, alerts),
    h("section", { "aria-label": "Runs" }, h("h2", {}, "Runs", past), noRuns, runs),
    h("section", { "aria-label": "Events" }, h("h2", {}, "Events", letters), noEvents, events),
  ];
  const element = h("div", {}, sections[0], holds, backfills, sections[1], sections[2]);
  let last = "";
  let more = { alerts: ALERTS, runs: RUNS, events: EVENTS };
  const wider = (what, section) => {
    const button = h("button", { type: "button", class: "wider", onclick: () => ((more = { ...more, [what]: Infinity }), update()) }, "Show more");
    section.append(button);
    return button;
  };
  const moreAlerts = wider("alerts", sections[0]);
  const moreRuns = wider("runs", sections[1]);
  const moreEvents = wider("events", sections[2]);

  function update() {
    const found = problems(model);
    const shown = found.slice(0, more.alerts);
    const said = shown.map((one) => one.textContent).join("\n");
    if (said !== last) alerts.replaceChildren(...shown); // or a screen reader would say them again
    last = said;
    moreAlerts.hidden = found.length <= more.alerts;
    moreAlerts.textContent = `Show ${found.length - more.alerts} more`;
    sync(held, model.holds, (hold) => hold.id, holdSign, holdCard);
    holds.hidden = model.holds.length === 0;
    const going = model.backfills.filter((fill) => !fill.finished);
    sync(filling, going, (fill) => fill.id, backfillSign, backfillRow);
    backfills.hidden = going.length === 0;
    past.replaceChildren(model.backfills.length > going.length && !going.length ? h("a", { href: "#/backfills" }, "backfills") : "");
    sync(runs, model.runs.slice(0, more.runs), (run) => run.id, (run) => [run.status, run.finished, run.because, run.roots, run.asset_count].join(), runRow);
    sync(events, model.events.slice(0, more.events), (event) => event.seq, (event) => [event.count, event.status].join(), eventRow);
    noRuns.hidden = model.runs.length > 0;
    noEvents.hidden = model.events.length > 0;
    moreRuns.hidden = model.runs.length <= more.runs;
    moreEvents.hidden = model.events.length <= more.events;
    const dead = model.status.deadletters ?? 0;
    letters.replaceChildren(dead ? h("a", { href: "#/deadletters" }, dead < 1000 ? count(dead, "dead letter") : "1,000 dead letters or more") : "");
  }
  update();
  return { element, update };
}

function problems(model) {
  const others = model.alerts.filter((alert) => !alert.key.startsWith("hold ")); // those have a place of their own
  const found = others.map((alert) => h("p", { class: "problem" }, alert.asset ? h("a", { href: place("assets", alert.asset) }, alert.text) : alert.text));
  for (const sensor of model.sensors.values()) {
    if (sensor.up === false) found.push(h("p", { class: "problem mild" }, h("a", { href: place("sensors", sensor.name) }, `${sensor.name} is not reached`), sensor.why ? `: ${sensor.why}` : ""));
  }
  if (!model.status.ready) found.push(h("p", { class: "problem mild" }, `Not ready: ${model.status.reasons.join("; ")}`));
  return found;
}
