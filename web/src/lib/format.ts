// A number never leaves here without its unit, and an unknown number is a dash, never 0.

export const UNKNOWN = "–";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function count(value: number): string {
  return whole.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Four significant places at most: 950, 1.2k, 41.2k, 412k, 1.93M. */
export function compact(value: number): string {
  if (value < 1000) return count(value);
  const steps: readonly (readonly [number, string])[] = [
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  for (const [size, unit] of steps) {
    if (value < size) continue;
    const scaled = value / size;
    const places = scaled < 10 ? 2 : scaled < 100 ? 1 : 0;
    return `${Number(scaled.toFixed(places))}${unit}`;
  }
  return count(value);
}

export function tokens(value: number | null): string {
  return value === null ? UNKNOWN : `${compact(value)} tok`;
}

/** 842 ms · 1.24 s · 3 m 04 s · 2 h 05 m. */
export function duration(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return UNKNOWN;
  if (ms < 0.95) return "<1 ms";
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 9_995) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}

/** A round time on an axis: 0 s · 250 ms · 2.5 s · 1 m 30 s. */
export function tickWord(ms: number): string {
  if (ms === 0) return "0 s";
  if (ms < 1000) return `${Number(ms.toFixed(3))} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(3))} s`;
  const seconds = Math.round(ms / 1000);
  const rest = seconds % 60;
  return `${Math.floor(seconds / 60)} m${rest > 0 ? ` ${rest} s` : ""}`;
}

/** Money without its exceptions: see `cost`. */
export function usd(value: number): string {
  if (value === 0) return "$0";
  if (value < 0.0001) return "<$0.0001";
  if (value < 0.01) return `$${value.toFixed(4)}`;
  if (value < 1) return `$${value.toFixed(3)}`;
  return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** The price of one call. */
export function cost(value: number | null): string {
  return value === null ? "unpriced" : usd(value);
}

/** The price of several calls, `unpriced` of which have none: the sum says that it leaves them out. */
export function costSum(value: number | null, unpriced: number): string {
  if (value === null || (value === 0 && unpriced > 0)) return unpriced > 0 ? "unpriced" : UNKNOWN;
  return unpriced > 0 ? `${usd(value)} + ${count(unpriced)} unpriced` : usd(value);
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const units = ["KB", "MB", "GB"];
  let scaled = value / 1024;
  let unit = 0;
  while (scaled >= 1023.5 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${scaled < 10 ? scaled.toFixed(1) : scaled.toFixed(0)} ${units[unit]}`;
}

/** Milliseconds since 1970 of one of our times, whose microseconds `Date.parse` would cut. */
export function instant(iso: string): number {
  const at = Date.parse(iso);
  const micros = /\.\d{3}(\d{3})/.exec(iso);
  return at + (micros?.[1] ? Number(micros[1]) / 1000 : 0);
}

/** now · 12 s · 4 m · 3 h · 2 d: how long ago, for a list. */
export function age(iso: string, nowMs: number): string {
  const seconds = Math.floor((nowMs - Date.parse(iso)) / 1000);
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Local wall clock with milliseconds: 14:03:07.214. */
export function clock(iso: string): string {
  const at = new Date(iso);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** Local date and time in full, with the zone: for a title. */
export function fullTime(iso: string): string {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
}

/** The end of an id: our ids begin with a time and differ at their end. */
export function shortId(id: string): string {
  return id.length > 10 ? `…${id.slice(-6)}` : id;
}

/** Text cut to `limit` characters, never in the middle of a surrogate pair. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = /[\uD800-\uDBFF]/.test(text[limit - 1] ?? "") ? limit - 1 : limit;
  return `${text.slice(0, end)}…`;
}

/** White space folded to single spaces: for previews on one line. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
