// Pieces that several views are made of.

import { h } from "../dom.js";
import { ago, between, count, instant, place } from "../words.js";

/** A dot that says what became of something. */
export function mark(state, said = state) {
  return h("span", { class: "mark", "data-state": state, role: "img", "aria-label": said });
}

const MARKS = { ran: "succeeded", matched: "running", waiting: "pending", debounced: "pending", throttled: "pending" };

/** What became of an event for one rule, in a row that leads to the run, or else to the rule. */
export function fateRow(fate) {
  const href = fate.run === null ? place("rules", fate.rule) : place("runs", fate.run);
  return h(
    "a",
    { class: "row", href },
    mark(MARKS[fate.status] ?? fate.status, fate.status),
    h("span", { class: "what" }, h("b", {}, fate.rule), ` ${fate.text}`),
    h("span", { class: "when became", "data-state": fate.status }, fate.status),
  );
}

/** One time that a rule came true, in a row that leads to the run, or else to the first event. */
export function firingRow(firing) {
  const [first] = firing.events;
  const href = firing.run !== null ? place("runs", firing.run) : first !== undefined ? place("events", first) : "#/";
  const key = firing.key === null ? "" : ` for ${firing.key}`;
  return h(
    "a",
    { class: "row", href },
    mark(firing.observed ? "never" : "succeeded", firing.observed ? "observed" : "fired"),
    h("span", { class: "what" }, `${firing.text}${key}`),
    h("span", { class: "when" }, since(firing.at), h("span", {}, count(firing.event_count, "event"))),
  );
}

/** How long ago, kept up to date by the page. */
export function since(at) {
  return at ? h("time", { datetime: at, title: instant(at), "data-at": at }, ago(at)) : "";
}

/** How long it has been going on, kept up to date by the page. */
export function lasting(start) {
  return start ? h("time", { datetime: start, "data-from": start }, between(start)) : "";
}

/** A run in a row that leads to its details. */
export function runRow(run) {
  const about = run.status === "succeeded" ? count(run.asset_count, "asset") : run.status;
  return h(
    "a",
    { class: "row", href: place("runs", run.id), title: `run ${run.id}, ${run.status}` },
    mark(run.status),
    h("span", { class: "what" }, sentence(run), run.partition ? ` [${run.partition}]` : ""),
    h("span", { class: "when" }, since(run.created), h("span", { class: run.status === "failed" ? "bad" : "" }, about)),
  );
}

/** `raw_orders because inbox saw inbox/monday.csv`, what was launched in bold. */
export function sentence(run) {
  const [root] = run.roots;
  const others = run.roots.length - 1;
  return root === undefined
    ? [h("b", {}, run.rule), ` ${run.because}`]
    : [h("b", {}, root), others > 0 ? ` and ${others} more` : "", ` ${run.because}`];
}

export function eventRow(event) {
  // What happens to an asset is an event as well.
  const [source, about] = event.sensor.startsWith("asset:") ? [event.sensor.slice(6), event.type] : [event.sensor, event.subject || event.type];
  return h(
    "a",
    { class: "row", href: place("events", event.seq), title: event.status_text || undefined },
    h("span", { class: "what" }, source, h("span", {}, `  ${about}`), event.count > 1 ? h("span", {}, `  and ${(event.count - 1).toLocaleString()} before`) : ""),
    event.status ? h("span", { class: "became", "data-state": event.status }, event.status) : "",
    h("span", { class: "when" }, since(event.at)),
  );
}

/** Links to things of one kind, in one line. */
export function links(kind, names) {
  return names.length ? h("ul", { class: "links" }, names.map((name) => h("li", {}, h("a", { href: place(kind, name) }, name)))) : "none";
}

/** Facts beside their names; empty ones are left out. */
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return h("dl", { class: "facts" }, shown.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export function back() {
  return h("a", { class: "back", href: "#/" }, "← Events and runs");
}

/** A button that asks the service to do something and says what went wrong. */
export function action(label, work) {
  const wrong = h("span", { class: "wrong", role: "alert", hidden: true });
  const press = async () => {
    button.disabled = true;
    wrong.hidden = true;
    try {
      await work();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    } finally {
      button.disabled = false;
    }
  };
  const button = h("button", { type: "button", class: "action", onclick: press }, label);
  return [button, wrong];
}
