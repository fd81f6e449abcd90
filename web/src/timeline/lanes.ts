// The trace in time: a lane for each agent, as many lines in it as calls ran at once. Pure.
import { instant } from "../lib/format";
import type { Growth } from "../state/trace";
import type { Agent, Agents } from "../trace/agents";
import { NO_SPANS, type SpansByCall } from "../trace/tools";
import type { CallRow, ToolSpan } from "../types.gen";

export interface Bar {
  readonly call: CallRow;
  /** Milliseconds since the trace began. */
  readonly from: number;
  /** When the first token came; null when none has. */
  readonly token: number | null;
  readonly to: number;
  readonly line: number;
  /** Its tools, until one request brought their results: those of one answer share their time. */
  readonly runs: readonly Runs[];
}

/** Runs that began and ended together. */
export interface Runs {
  readonly from: number;
  readonly to: number;
  readonly spans: readonly ToolSpan[];
}

export interface Lane {
  readonly agent: Agent;
  readonly bars: readonly Bar[];
  readonly lines: number;
  /** Lines above it in the whole picture. */
  readonly top: number;
}

export interface Lanes {
  readonly lanes: readonly Lane[];
  readonly lines: number;
  readonly startMs: number;
  readonly lengthMs: number;
}

function grownSince(growth: Growth | undefined, startMs: number): number | null {
  return growth ? instant(growth.since) - startMs : null;
}

/** What ran, grouped by when its result came; a run without a result takes no room. */
function runsOf(spans: readonly ToolSpan[], startMs: number, nowMs: number): readonly Runs[] {
  const found = new Map<string, ToolSpan[]>();
  for (const span of spans) {
    if (span.ended_at === null && span.state !== "running") continue;
    const key = span.ended_at ?? "";
    found.set(key, [...(found.get(key) ?? []), span]);
  }
  return [...found].map(([end, same]) => {
    const from = instant(same[0]?.started_at ?? "") - startMs;
    return { from, to: Math.max(from, (end === "" ? nowMs : instant(end)) - startMs), spans: same };
  });
}

export function readLanes(agents: Agents, nowMs: number, growth: ReadonlyMap<string, Growth>, spans: SpansByCall = NO_SPANS): Lanes {
  const starts = agents.order.map((agent) => agent.startedMs);
  const startMs = starts.length > 0 ? Math.min(...starts) : nowMs;
  let top = 0;
  let lengthMs = 1;
  const lanes = agents.order.map((agent) => {
    const ends: number[] = [];
    const bars = agent.calls.map((call): Bar => {
      const from = instant(call.created_at) - startMs;
      const to = Math.max(from, call.status === "running" ? nowMs - startMs : from + (call.duration_ms ?? 0));
      const free = ends.findIndex((end) => end <= from);
      const line = free === -1 ? ends.length : free;
      ends[line] = to;
      lengthMs = Math.max(lengthMs, to);
      const runs = runsOf(spans.get(call.call_id) ?? [], startMs, nowMs);
      for (const run of runs) lengthMs = Math.max(lengthMs, run.to);
      return {
        call,
        from,
        to,
        line,
        token: call.ttft_ms === null ? grownSince(growth.get(call.call_id), startMs) : from + call.ttft_ms,
        runs,
      };
    });
    const lane: Lane = { agent, bars, lines: Math.max(1, ends.length), top };
    top += lane.lines;
    return lane;
  });
  return { lanes, lines: top, startMs, lengthMs };
}
