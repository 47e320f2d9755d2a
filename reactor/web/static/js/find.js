// The search field: type a part of a name, go there.

import { h } from "./dom.js";
import { place } from "./words.js";

const MOST = 12;

export function finder(model) {
  const field = document.getElementById("find");
  const list = document.getElementById("found");
  let chosen = 0;

  function candidates() {
    const text = field.value.trim().toLowerCase();
    if (!text || !model.graph) return [];
    const all = [
      ...model.graph.assets.map(({ name }) => ({ name, kind: "assets", what: "asset" })),
      ...model.graph.sensors.map(({ name }) => ({ name, kind: "sensors", what: "sensor" })),
      ...model.graph.rules.map(({ name }) => ({ name, kind: "rules", what: "rule" })),
    ];
    const rank = ({ name }) => (name.toLowerCase().startsWith(text) ? 0 : 1);
    return all
      .filter(({ name }) => name.toLowerCase().includes(text))
      .sort((a, b) => rank(a) - rank(b))
      .slice(0, MOST);
  }

  function show() {
    const found = candidates();
    chosen = Math.min(chosen, Math.max(0, found.length - 1));
    list.replaceChildren(
      ...found.map((one, number) =>
        h(
          "li",
          { role: "option", id: `found-${number}`, "aria-selected": String(number === chosen), onmousedown: (press) => (press.preventDefault(), go(one)) },
          h("span", {}, one.name),
          h("span", {}, one.what),
        ),
      ),
    );
    list.hidden = found.length === 0;
    field.setAttribute("aria-expanded", String(found.length > 0));
    if (found.length) field.setAttribute("aria-activedescendant", `found-${chosen}`);
    else field.removeAttribute("aria-activedescendant");
  }

  function go(one) {
    location.hash = place(one.kind, one.name);
    field.value = "";
    field.blur();
    show();
  }

  field.addEventListener("input", () => ((chosen = 0), show()));
  field.addEventListener("focus", show);
  field.addEventListener("blur", () => (list.hidden = true));
  field.addEventListener("keydown", (press) => {
    const found = candidates();
    if (press.key === "ArrowDown") chosen = Math.min(found.length - 1, chosen + 1);
    else if (press.key === "ArrowUp") chosen = Math.max(0, chosen - 1);
    else if (press.key === "Enter" && found[chosen]) return go(found[chosen]);
    else if (press.key === "Escape") {
      field.value = "";
      field.blur();
    } else return;
    press.preventDefault();
    show();
  });
}
