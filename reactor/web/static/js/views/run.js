// One run: why it ran, in words, and what became of each of its steps.

import { get, post } from "../api.js";
import { h, sync } from "../dom.js";
import { backfillOf, between, count, now, place, spoken } from "../words.js";
import { action, back, eventRow, facts, lasting, mark, since } from "./part.js";

const GOING = new Set(["running", "held", "blocked"]);
const RESUMABLE = new Set(["failed", "cancelled", "blocked"]);

export async function run(model, id) {
  const steps = h("ul", { class: "steps" });
  const head = h("div");
  const causes = h("div");
  const element = h("div", { class: "detail" }, back(), head, h("section", {}, h("h2", {}, "Steps"), steps), causes);
  let shown = await get(`/api/runs/${encodeURIComponent(id)}`);

  function show() {
    head.replaceChildren(...header(shown));
    const first = Math.min(...shown.steps.flatMap((step) => step.attempts.map((attempt) => Date.parse(attempt.started))));
    const last = Math.max(...shown.steps.flatMap((step) => step.attempts.map((attempt) => (attempt.finished ? Date.parse(attempt.finished) : now()))));
    sync(steps, shown.steps, (step) => `${step.asset}/${step.partition}`, JSON.stringify, (step) => stepRow(shown.id, step));
    for (const part of steps.querySelectorAll("i")) stretch(part, first, Math.max(1, last - first));
    causes.replaceChildren(...eventsOf(shown));
  }
  show();
  return {
    element,
    touched: shown.assets,
    concerns: (item) => (item.kind === "run" && String(item.id) === String(id)) || (item.kind === "step" && item.runs?.some((one) => String(one) === String(id))),
    refresh: async () => {
      shown = await get(`/api/runs/${encodeURIComponent(id)}`);
      show();
    },
    tick: () => shown.finished || show(),
  };
}

function header(run) {
  const actions = [];
  if (GOING.has(run.status)) actions.push(action("Cancel", () => post(`/api/runs/${run.id}/cancel`)));
  if (RESUMABLE.has(run.status)) actions.push(action("Resume from the failure", () => post(`/api/runs/${run.id}/resume`)));
  return [
    h("p", { class: "kind links" }, "run of ", launcher(run.rule)),
    h("h1", {}, `Run ${run.id}`),
    h("p", { class: "state" }, mark(run.status), h("b", {}, run.status), h("span", {}, run.finished ? `in ${between(run.created, run.finished)}` : ["for ", lasting(run.created)]), h("span", {}, "·"), since(run.created)),
    h("div", { class: "why" }, run.why.map((line) => h("p", {}, line))),
    actions.length ? h("div", { class: "actions" }, actions) : "",
    run.partition || run.key ? h("section", {}, facts([["partition", run.partition], ["key", run.key]])) : "",
  ];
}

/** What launched it; a backfill is a place to go to. */
function launcher(rule) {
  const id = backfillOf(rule);
  return id ? h("a", { href: place("backfills", id) }, rule) : rule;
}

function stepRow(run, step) {
  const running = step.attempts.find((attempt) => !attempt.finished);
  const spent = running ? lasting(running.started) : step.attempts.length ? spoken(step.attempts.reduce((sum, { started, finished }) => sum + Date.parse(finished) - Date.parse(started), 0)) : "";
  const log = h("div");
  const opened = (event) => event.target.open && step.id !== null && readLog(run, step, log);
  return h(
    "details",
    { "data-step": step.id, ontoggle: opened },
    h(
      "summary",
      {},
      mark(step.status),
      h("span", { class: "asset" }, step.asset, step.partition ? h("span", {}, ` ${step.partition}`) : ""),
      h("span", { class: "when" }, spent),
      h("span", { class: "because" }, explained(step)),
      step.attempts.length ? h("span", { class: "spent" }, step.attempts.map((attempt) => bar(attempt, step))) : "",
    ),
    h(
      "div",
      { class: "inside" },
      step.attempts.map(attemptPart),
      log,
      h("p", { class: "links" }, h("a", { href: place("assets", step.asset) }, `About ${step.asset}`)),
    ),
  );
}

function explained(step) {
  const tries = step.attempts.length > 1 ? count(step.attempts.length, "attempt") : "";
  const status = step.status === "materialized" ? "" : step.status;
  return [status, tries, step.because, step.note].filter(Boolean).join(" · ");
}

function bar(attempt, step) {
  const state = attempt.outcome || (attempt.finished ? step.status : "running");
  return h("i", { "data-state": state, "data-start": attempt.started, "data-end": attempt.finished });
}

/** Puts the bar of an attempt where it belongs in the time that the run took. */
function stretch(part, first, length) {
  const start = Date.parse(part.dataset.start);
  const end = part.dataset.end ? Date.parse(part.dataset.end) : now();
  part.style.left = `${Math.min(99, (100 * (start - first)) / length)}%`;
  part.style.width = `${Math.max(0.5, (100 * (end - start)) / length)}%`;
}

function attemptPart(attempt) {
  return h(
    "div",
    {},
    h("p", { class: "attempt" }, h("span", {}, `attempt ${attempt.number}: ${attempt.outcome || "running"}`), h("span", { class: "when" }, attempt.finished ? between(attempt.started, attempt.finished) : lasting(attempt.started))),
    attempt.error ? h("pre", { class: "error" }, attempt.error) : "",
  );
}

async function readLog(run, step, place) {
  try {
    const { lines } = await get(`/api/runs/${run}/log?step=${step.id}&limit=200`);
    if (lines.length) place.replaceChildren(h("pre", { "aria-label": "log" }, lines.map((line) => line.text).join("\n")));
  } catch (error) {
    place.replaceChildren(h("p", { class: "nothing" }, error.message));
  }
}

function eventsOf(run) {
  if (!run.events.length) return [];
  const more = run.event_count - run.events.length;
  return [
    h(
      "section",
      {},
      h("h2", {}, "Because of", h("small", {}, count(run.event_count, "event"))),
      h("ul", { class: "rows events" }, run.events.map((event) => h("li", {}, eventRow({ ...event, count: 1 })))),
      more > 0 ? h("p", { class: "nothing" }, `and ${more.toLocaleString()} more`) : "",
    ),
  ];
}
