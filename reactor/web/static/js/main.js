// The page: reads the service, follows its news, and shows what the address asks for.

import { h, soon } from "./dom.js";
import { finder } from "./find.js";
import { Picture } from "./graph.js";
import { Model } from "./model.js";
import { follow } from "./stream.js";
import { activity } from "./views/activity.js";
import { backfill } from "./views/backfill.js";
import { run } from "./views/run.js";
import { asset, deadletters, event, rule, sensor } from "./views/thing.js";
import { back } from "./views/part.js";
import { ago, between } from "./words.js";

const VIEWS = { runs: run, backfills: backfill, assets: asset, sensors: sensor, rules: rule, events: event, deadletters };
const NODES = { assets: "asset", sensors: "sensor", rules: "rule" };

const model = new Model();
const picture = new Picture(document.getElementById("graph"), model);
const panel = document.getElementById("panel");
let view = null;
let opening = 0;

/** What the address asks for: `#/runs/12` is `["runs", "12"]`. */
function asked() {
  const [, kind = "", name = ""] = location.hash.split("/");
  try {
    return [kind, decodeURIComponent(name)];
  } catch {
    return ["", ""];
  }
}

async function open() {
  const [kind, name] = asked();
  const mine = (opening += 1);
  let next;
  try {
    next = Object.hasOwn(VIEWS, kind) ? await VIEWS[kind](model, name) : activity(model);
  } catch (error) {
    next = { element: h("div", { class: "detail" }, back(), h("p", { class: "problem" }, error.message)) };
  }
  if (mine !== opening) return; // the person went elsewhere meanwhile
  view = next;
  panel.replaceChildren(view.element);
  panel.scrollTop = 0;
  focus();
}

function focus() {
  const [kind, name] = asked();
  if (NODES[kind]) picture.select(`${NODES[kind]}:${name}`);
  else if (view?.touched) picture.touch(view.touched);
  else picture.touch([]);
}

function draw() {
  picture.draw();
  focus();
}

const refresh = soon(async () => {
  try {
    await view?.refresh?.();
  } catch (error) {
    console.warn(error.message);
  }
}, 300);

const redraw = soon(() => view?.update?.(), 120);

function totals() {
  const { running, waiting } = model.status;
  document.getElementById("running").textContent = running.toLocaleString();
  document.getElementById("waiting").textContent = waiting.toLocaleString();
  const failing = [...model.assets.values()].filter((one) => one.active.size === 0 && one.ended?.status === "failed").length;
  document.getElementById("failing").textContent = failing.toLocaleString();
  document.getElementById("failing-total").hidden = failing === 0;
}

model.addEventListener("loaded", ({ detail: { changed } }) => {
  document.title = `${model.graph.name} · reactor`;
  document.getElementById("name").textContent = model.graph.name;
  document.getElementById("empty").hidden = model.graph.assets.length > 0;
  totals();
  if (!view) open();
  else if (view.refresh) refresh();
  else view.update?.();
  if (changed) setTimeout(draw); // a large graph takes a moment, in which the panel shows already
  else picture.refresh();
});
model.addEventListener("counted", totals);
model.addEventListener("became", redraw);
model.addEventListener("held", redraw);
model.addEventListener("news", ({ detail: item }) => {
  picture.news(item);
  redraw();
  if (view?.concerns?.(item)) refresh();
  if (item.kind === "step") totals();
});
addEventListener("hashchange", open);

document.getElementById("closer").addEventListener("click", () => picture.camera.zoom(1.35));
document.getElementById("farther").addEventListener("click", () => picture.camera.zoom(1 / 1.35));
document.getElementById("fit").addEventListener("click", () => picture.camera.fit());
document.querySelector(".skip").addEventListener("click", (click) => {
  click.preventDefault();
  panel.focus();
});
addEventListener("keydown", (press) => {
  if (press.target.closest("input, dialog")) return;
  if (press.key === "/") {
    press.preventDefault();
    document.getElementById("find").focus();
  } else if (press.key === "Escape" && !press.target.closest("#graph")) location.hash = "#/";
});
finder(model);

setInterval(() => {
  if (document.hidden) return;
  picture.refresh();
  for (const time of document.querySelectorAll("time[data-at]")) {
    const text = ago(time.dataset.at);
    if (time.textContent !== text) time.textContent = text;
  }
  for (const time of document.querySelectorAll("time[data-from]")) time.textContent = between(time.dataset.from);
  view?.tick?.();
}, 1000);

/** Reads everything; tries again if that fails, for the stream alone does not show it. */
async function read() {
  try {
    await model.load();
  } catch (error) {
    console.warn(error.message);
    setTimeout(read, 2000);
  }
}

const link = document.getElementById("link");
follow("/api/stream", {
  news: (item) => model.apply(item),
  reload: read,
  link: (state) => {
    link.dataset.state = state;
    link.textContent = state === "live" ? "live" : "connection lost, trying again";
  },
});
