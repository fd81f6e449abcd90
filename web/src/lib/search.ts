// What is typed in the search box: words, and `key:value` filters. Unknown keys are words; a value with spaces is quoted.

export interface Search {
  readonly text: string;
  readonly model?: string;
  readonly agent?: string;
  readonly provider?: string;
  readonly status?: string;
  readonly error: boolean;
  readonly since?: string;
  readonly minCost?: number;
  /** What could not be used, in words for the person. */
  readonly complaints: readonly string[];
}

export const STATUSES = ["running", "completed", "failed"] as const;

const TERM = /([a-z]+):("[^"]*"|\S*)|"([^"]*)"|(\S+)/gi;
const SPAN = /^(\d+(?:\.\d+)?)(s|m|h|d|w)$/;
const SPAN_MS: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 604_800e3 };

/** `2h` before now, or a date: as ISO 8601 UTC; null when it is neither. */
export function sinceTime(value: string, nowMs: number): string | null {
  const span = SPAN.exec(value);
  if (span) return new Date(nowMs - Number(span[1]) * (SPAN_MS[span[2] ?? ""] ?? 0)).toISOString();
  const at = /^\d{4}-\d{2}-\d{2}/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}

type Found = { -readonly [Key in keyof Search]?: Search[Key] } & { complaints: string[] };

function take(found: Found, key: string, value: string, nowMs: number): boolean {
  if (key === "model" || key === "agent" || key === "provider") {
    found[key] = value;
  } else if (key === "status") {
    if ((STATUSES as readonly string[]).includes(value)) found.status = value;
    else found.complaints.push(`status: is one of ${STATUSES.join(", ")}`);
  } else if (key === "has") {
    if (value === "error") found.error = true;
    else found.complaints.push("has: knows only has:error");
  } else if (key === "since") {
    const at = sinceTime(value, nowMs);
    if (at) found.since = at;
    else found.complaints.push("since: takes 30m, 2h, 7d or a date such as 2026-11-22");
  } else if (key === "cost") {
    const least = /^>\$?(\d+(?:\.\d+)?)$/.exec(value);
    if (least) found.minCost = Number(least[1]);
    else found.complaints.push("cost: is written cost:>0.50 (USD)");
  } else {
    return false;
  }
  return true;
}

export function parseSearch(input: string, nowMs: number): Search {
  const words: string[] = [];
  const found: Found = { complaints: [] };
  for (const match of input.matchAll(TERM)) {
    const [whole, key, rawValue, quoted, word] = match;
    if (key === undefined) {
      words.push(quoted === undefined ? (word ?? "") : `"${quoted}"`);
      continue;
    }
    const value = (rawValue ?? "").replace(/^"|"$/g, "");
    if (value === "") {
      // Still being typed: neither a word nor a complaint.
      if (!["model", "agent", "provider", "status", "has", "since", "cost"].includes(key.toLowerCase())) words.push(whole);
    } else if (!take(found, key.toLowerCase(), value, nowMs)) {
      words.push(whole);
    }
  }
  return { error: false, ...found, text: words.join(" ") };
}

/** Query parameters of `/api/traces` and `/api/calls`. */
export function searchParams(search: Search): URLSearchParams {
  const params = new URLSearchParams();
  if (search.text) params.set("q", search.text);
  for (const key of ["model", "agent", "provider", "status", "since"] as const) {
    const value = search[key];
    if (value) params.set(key, value);
  }
  if (search.error) params.set("error", "1");
  if (search.minCost !== undefined) params.set("min_cost", String(search.minCost));
  return params;
}
