// Instants and durations in words.

let skew = 0;

/** Learns the service's clock, so that ages do not depend on the clock of this machine. */
export function synchronise(now) {
  skew = Date.parse(now) - Date.now();
}

/** The service's time, in milliseconds. */
export function now() {
  return Date.now() + skew;
}

/** How long, briefly: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function spoken(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

/** How long ago: `now`, `12 s ago`. */
export function ago(at) {
  const passed = now() - Date.parse(at);
  if (!Number.isFinite(passed)) return "";
  if (passed < 1500) return "now";
  return `${spoken(passed < 60000 ? Math.floor(passed / 1000) * 1000 : passed).replace(".0 s", " s")} ago`;
}

/** From one instant to another, or until now. */
export function between(start, end) {
  if (!start) return "";
  return spoken((end ? Date.parse(end) : now()) - Date.parse(start));
}

/** An instant as a person writes it. */
export function instant(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** `1 asset`, `3 assets`. */
export function count(n, noun) {
  return `${n.toLocaleString()} ${noun}${n === 1 ? "" : "s"}`;
}

/** The backfill that a run with this rule belongs to, if it does. */
export function backfillOf(rule) {
  return /^backfill (\d+)$/.exec(rule)?.[1];
}

/** Where on this page something is. */
export function place(kind, name) {
  return `#/${kind}/${encodeURIComponent(name)}`;
}
