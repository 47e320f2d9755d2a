// The live stream: server-sent events, read with fetch so that they can carry the token.

import { headers, token } from "./api.js";

const SILENCE = 45_000; // the service says something every 15 seconds
const LONGEST_WAIT = 8_000;
const UNSEEN = 30_000; // how long a page that nobody sees holds one of the browser's few connections

/**
 * Follows the stream for ever. `on.news(item)` is called for each piece of news, `on.reload()` when
 * everything has to be read anew (also at the start), `on.link("live" | "lost")` for the connection.
 */
export async function follow(path, on) {
  let last = null;
  for (let tries = 0; ; tries += 1) {
    await seen();
    const controller = new AbortController();
    const leave = whenLeft(() => controller.abort());
    let watch = null;
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => controller.abort(), SILENCE);
    };
    try {
      alive();
      const more = last === null ? {} : { "Last-Event-ID": last };
      const response = await fetch(path, { headers: headers({ Accept: "text/event-stream", ...more }), signal: controller.signal, cache: "no-store" });
      if (response.status === 401) {
        await token();
        continue;
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      for await (const message of messages(response.body, alive)) {
        tries = 0;
        last = message.id ?? last;
        if (message.event === "hello") on.link("live");
        if (message.event === "hello" || message.event === "reload") on.reload();
        else on.news(JSON.parse(message.data));
      }
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof TypeError) && !String(error.message).startsWith("status")) console.error(error);
    } finally {
      clearTimeout(watch);
      leave();
      controller.abort();
    }
    on.link("lost");
    const wait = Math.min(LONGEST_WAIT, 400 * 2 ** Math.min(tries, 8));
    await new Promise((resolve) => setTimeout(resolve, wait * (0.75 + Math.random() / 2)));
  }
}

/** Waits until the page is in sight. */
async function seen() {
  while (document.visibilityState !== "visible") {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

/** Calls `work` when the page is left, or has been out of sight for long; answers how to stop that. */
function whenLeft(work) {
  let timer = null;
  const look = () => {
    clearTimeout(timer);
    if (document.visibilityState !== "visible") timer = setTimeout(work, UNSEEN);
  };
  addEventListener("pagehide", work);
  document.addEventListener("visibilitychange", look);
  return () => {
    clearTimeout(timer);
    removeEventListener("pagehide", work);
    document.removeEventListener("visibilitychange", look);
  };
}

/** The messages of a stream of bytes; comments (heartbeats) only call `alive`. */
async function* messages(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const message = { event: "message", data: "" };
      for (const line of block.split("\n")) {
        const at = line.indexOf(":");
        if (at > 0) {
          const name = line.slice(0, at);
          const text = line.slice(at + 1).replace(/^ /, "");
          message[name] = name === "data" && message.data ? `${message.data}\n${text}` : text;
        }
      }
      if (message.data) yield message;
    }
  }
}
