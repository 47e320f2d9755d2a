// Making elements. Everything shown comes from outside and is hostile: text goes in as text, and a
// link leads only to another place on this page.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("a", { class: "row", href: "#/runs/1" }, "text", child)`. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "href" && !String(value).startsWith("#/")) throw new Error("a link leaves the page");
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * Makes a list show `items`, touching only the entries that changed, so that what a person is
 * pointing at stays where it is. `make(item)` answers an entry's content; `signature(item)` changes
 * when that would.
 */
export function sync(list, items, key, signature, make) {
  const had = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const first = had.size === 0;
  let place = list.firstElementChild;
  for (const item of items) {
    const id = String(key(item));
    const sign = signature(item);
    let entry = had.get(id);
    had.delete(id);
    if (!entry) {
      entry = h("li", first ? {} : { class: "new" });
      entry.dataset.key = id;
    }
    if (entry.dataset.sign !== sign) {
      renew(entry, make(item));
      entry.dataset.sign = sign;
    }
    if (entry === place) place = place.nextElementSibling;
    else list.insertBefore(entry, place);
  }
  for (const gone of had.values()) gone.remove();
}

/** Puts new content into an entry; a link stays the element that it is, details stay open. */
function renew(entry, made) {
  const had = entry.firstElementChild;
  if (had?.tagName === "A" && made.tagName === "A") {
    for (const { name, value } of made.attributes) had.setAttribute(name, value);
    had.replaceChildren(...made.childNodes);
    return;
  }
  if (had?.open) made.open = true;
  entry.replaceChildren(made);
}

/** Calls `work` soon, once for any number of calls, and at most every `pause` milliseconds. */
export function soon(work, pause = 0) {
  let timer = null;
  let last = -Infinity;
  return () => {
    if (timer !== null) return;
    const wait = Math.max(0, last + pause - performance.now());
    timer = setTimeout(() => {
      timer = null;
      last = performance.now();
      work();
    }, wait);
  };
}
