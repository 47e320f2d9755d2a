// Backfills: all of them in brief, or one with what runs and what failed.

import { get, post } from "../api.js";
import { h, sync } from "../dom.js";
import { between, count, place, spoken } from "../words.js";
import { action, back, facts, lasting, links, mark, since } from "./part.js";

const SIGNS = { paused: "held" };

export function backfill(model, id) {
  return id ? one(id) : all(model);
}

/** One backfill in a row that leads to its details. */
export function backfillRow(fill) {
  const [first, ...others] = fill.assets;
  const more = others.length ? ` and ${others.length} more` : "";
  return h(
    "a",
    { class: "row", href: place("backfills", fill.id), title: `backfill ${fill.id}, ${fill.status}` },
    sign(fill),
    h("span", { class: "what" }, h("b", {}, first), `${more}  ${counted(fill)}`),
    h("span", { class: "when" }, since(fill.created), h("span", { class: fill.failed ? "bad" : "" }, fill.failed ? `${fill.failed.toLocaleString()} failed` : fill.status)),
    bar(fill),
  );
}

/** What of a row's content changes. */
export function backfillSign(fill) {
  return [fill.status, fill.done, fill.running, fill.failed].join();
}

function sign(fill) {
  return mark(SIGNS[fill.status] ?? fill.status, fill.status);
}

function counted(fill) {
  return `${fill.done.toLocaleString()} of ${count(fill.total, "partition")}`;
}

/** How far it is: what went well, what failed, what runs. */
function bar(fill) {
  const part = (state, number) => {
    const element = h("i", { "data-state": state });
    element.style.width = `${(100 * number) / Math.max(1, fill.total)}%`;
    return element;
  };
  return h(
    "span",
    { class: "progress", role: "progressbar", "aria-label": `backfill ${fill.id}`, "aria-valuemin": 0, "aria-valuemax": fill.total, "aria-valuenow": fill.done },
    part("succeeded", fill.done - fill.failed),
    part("failed", fill.failed),
    part("running", fill.running),
  );
}

function all(model) {
  const rows = h("ul", { class: "rows backfills" });
  const none = h("p", { class: "nothing" }, "There is none yet: reactor backfill TARGET ASSET --partitions A..B starts one.");
  const update = () => {
    sync(rows, model.backfills, (fill) => fill.id, backfillSign, backfillRow);
    none.hidden = model.backfills.length > 0;
  };
  update();
  return { element: h("div", { class: "detail" }, back(), h("h1", {}, "Backfills"), none, rows), update };
}

async function one(id) {
  const path = `/api/backfills/${encodeURIComponent(id)}`;
  const head = h("div");
  const actions = h("div", { class: "actions" });
  const rest = h("div");
  let offered = null;
  let shown = null;
  const refresh = async () => {
    shown = await get(path);
    const ended = Boolean(shown.finished);
    head.replaceChildren(...header(shown));
    const offers = ended ? retriable(shown) : [shown.status === "paused" ? "resume" : "pause", "cancel"];
    const wanted = shown.status === "cancelled" && !ended ? [] : offers;
    // The buttons stay the elements that they are, or a click might miss one.
    if (wanted.join() !== offered) actions.replaceChildren(...wanted.flatMap((order) => action(ORDERS[order], () => post(`${path}/${order}`))));
    offered = wanted.join();
    actions.hidden = wanted.length === 0;
    rest.replaceChildren(...details(shown));
  };
  await refresh();
  return {
    element: h("div", { class: "detail" }, h("a", { class: "back", href: "#/backfills" }, "← Backfills"), head, actions, rest),
    refresh,
    concerns: (item) => (item.kind === "backfill" && item.id === shown.id) || (item.kind === "run" && item.rule === shown.rule),
  };
}

const ORDERS = { pause: "Pause", resume: "Resume", cancel: "Cancel", retry: "Retry what is left" };

function retriable(fill) {
  return fill.failed || fill.done < fill.total ? ["retry"] : [];
}

function header(fill) {
  return [
    h("p", { class: "kind" }, "backfill"),
    h("h1", {}, `Backfill ${fill.id}`),
    h(
      "p",
      { class: "state" },
      sign(fill),
      h("b", {}, fill.status),
      h("span", {}, counted(fill)),
      h("span", {}, "·"),
      h("span", {}, fill.finished ? `in ${between(fill.created, fill.finished)}` : ["for ", lasting(fill.created)]),
    ),
    bar(fill),
  ];
}

function details(fill) {
  const hidden = fill.failed - fill.failures.length;
  return [
    h(
      "section",
      {},
      facts([
        ["assets", links("assets", fill.assets)],
        ["partitions", fill.first === fill.last ? fill.first : `${fill.first} to ${fill.last}`],
        ["launches", fill.downstream ? "them and what follows" : "only them"],
        ["at once", `${fill.limit}`],
        ["held", fill.held ? `${fill.held.toLocaleString()} of those that run` : ""],
        ["left", fill.eta_seconds ? `about ${spoken(1000 * fill.eta_seconds)}` : ""],
        ["reason", fill.reason],
      ]),
    ),
    parts("Running", "running", fill.live.filter((part) => !part.text)),
    parts("Held", "held", fill.live.filter((part) => part.text)),
    parts("Failed", "failed", fill.failures),
    hidden > 0 ? h("p", { class: "nothing" }, `and ${hidden.toLocaleString()} more`) : "",
  ].filter(Boolean);
}

function parts(title, state, found) {
  if (!found.length) return "";
  const row = (part) => {
    const inside = [mark(state), h("span", { class: "what" }, h("b", {}, part.partition), part.text ? ` ${part.text}` : ""), h("span", { class: "when" }, part.run === null ? "" : `run ${part.run}`)];
    return part.run === null ? h("span", { class: "row" }, inside) : h("a", { class: "row", href: place("runs", part.run) }, inside);
  };
  return h("section", { "aria-label": title }, h("h2", {}, title, h("small", {}, found.length.toLocaleString())), h("ul", { class: "rows" }, found.map((part) => h("li", {}, row(part)))));
}
