// Tools that ran between calls, as the graph, the timeline and the lists group and word them. Pure.
import { duration } from "../lib/format";
import type { CallRow, ToolSpan } from "../types.gen";

/** Runs by the call whose answer asked for them, in its order. */
export type SpansByCall = ReadonlyMap<string, readonly ToolSpan[]>;

export const NO_SPANS: SpansByCall = new Map();

export function byCall(spans: readonly ToolSpan[]): SpansByCall {
  const found = new Map<string, ToolSpan[]>();
  for (const span of spans) {
    const same = found.get(span.call_id);
    if (same) same.push(span);
    else found.set(span.call_id, [span]);
  }
  return found;
}

/** Different tools shown under one call; the rest are counted. */
const MOST_TOOLS = 4;

export interface ToolGroup {
  readonly name: string;
  readonly times: number;
  /** What is known of its runs; nothing until it was fetched. */
  readonly spans: readonly ToolSpan[];
}

/** The tools of one answer by name. A row names them at once; what became of them, and tools in plain text, come with the spans. */
export function toolGroups(call: CallRow, spans: SpansByCall): readonly ToolGroup[] {
  const runs = spans.get(call.call_id) ?? [];
  const names = call.tool_names.length > 0 ? call.tool_names : runs.map((span) => span.name);
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  const groups = [...times].map(([name, count]) => ({ name, times: count, spans: runs.filter((span) => span.name === name) }));
  if (groups.length <= MOST_TOOLS) return groups;
  const rest = groups.slice(MOST_TOOLS - 1);
  const count = rest.reduce((total, group) => total + group.times, 0);
  return [...groups.slice(0, MOST_TOOLS - 1), { name: `${count} more`, times: 1, spans: rest.flatMap((group) => group.spans) }];
}

export interface Fate {
  /** `failed` when any run failed; else `unseen`, `running` when any is so; null: nothing is known yet. */
  readonly state: string | null;
  /** The longest run, where a result was seen. */
  readonly ms: number | null;
  readonly failed: number;
  readonly unseen: number;
}

export function fateOf(spans: readonly ToolSpan[]): Fate {
  const count = (state: string) => spans.filter((span) => span.state === state).length;
  const took = spans.flatMap((span) => (span.duration_ms === null ? [] : [span.duration_ms]));
  const [failed, unseen, running] = [count("failed"), count("unseen"), count("running")];
  const state =
    spans.length === 0 ? null : failed > 0 ? "failed" : running > 0 ? "running" : unseen === spans.length ? "unseen" : "returned";
  return { state, ms: took.length > 0 ? Math.max(...took) : null, failed, unseen };
}

/** In a hexagon: 1.20 s · running · no result. */
export function shortFate(spans: readonly ToolSpan[]): string {
  const { state, ms } = fateOf(spans);
  if (state === null) return "";
  if (ms !== null) return duration(ms);
  return state === "running" ? "running" : "no result";
}

/** In a sentence: returned after 1.20 s · 1 of 3 failed, after 1.20 s · no result seen. */
export function fateWords(spans: readonly ToolSpan[]): string {
  const { state, ms, failed, unseen } = fateOf(spans);
  if (state === null) return "";
  const after = ms === null ? "" : ` after ${duration(ms)}`;
  const of = spans.length > 1 ? ` of ${spans.length}` : "";
  if (failed > 0) return `${of ? `${failed}${of} ` : ""}failed${after}`;
  if (state === "running") return "running";
  if (state === "unseen") return "no result seen";
  return `returned${after}${unseen > 0 ? `, ${unseen}${of} without a result` : ""}`;
}

export interface ToolTotal {
  readonly name: string;
  readonly runs: number;
  readonly failed: number;
  readonly unseen: number;
  /** Of the runs whose result was seen, together. */
  readonly ms: number;
}

/** All runs of some calls by tool, most often used first. */
export function toolTotals(calls: readonly CallRow[], spans: SpansByCall): readonly ToolTotal[] {
  const found = new Map<string, ToolTotal>();
  for (const call of calls) {
    for (const span of spans.get(call.call_id) ?? []) {
      const old = found.get(span.name) ?? { name: span.name, runs: 0, failed: 0, unseen: 0, ms: 0 };
      found.set(span.name, {
        name: span.name,
        runs: old.runs + 1,
        failed: old.failed + (span.state === "failed" ? 1 : 0),
        unseen: old.unseen + (span.state === "unseen" ? 1 : 0),
        ms: old.ms + (span.duration_ms ?? 0),
      });
    }
  }
  return [...found.values()].sort((left, right) => right.runs - left.runs);
}
