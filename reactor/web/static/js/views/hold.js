// What breaking schema changes hold, each with the button that lets it go on.

import { post } from "../api.js";
import { h } from "../dom.js";
import { place } from "../words.js";
import { action, since } from "./part.js";

const NAMED = 6;

/** One hold: what broke, who is held by it since when, and the way out. */
export function holdCard(hold) {
  const rest = hold.assets.length - NAMED;
  const [event] = hold.events;
  const named = hold.assets.slice(0, NAMED).map((name, at) => [at ? ", " : "", h("a", { href: place("assets", name) }, name)]);
  return h(
    "article",
    { class: "hold", "aria-label": `hold ${hold.id} on ${hold.table}` },
    h("p", {}, h("b", {}, event === undefined ? hold.table : h("a", { href: place("events", event) }, hold.table)), `: ${hold.text}`),
    h("p", { class: "who links" }, "holds ", named, rest > 0 ? ` and ${rest.toLocaleString()} more` : ""),
    h("p", { class: "way" }, action("Acknowledge", () => post(`/api/holds/${hold.id}/ack`)), h("span", {}, since(hold.opened))),
  );
}

/** What of a card changes. */
export function holdSign(hold) {
  return [hold.text, hold.assets].join();
}
