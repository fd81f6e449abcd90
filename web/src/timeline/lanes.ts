// The trace in time: a lane for each agent, as many lines in it as calls ran at once. Pure.
import { instant } from "../lib/format";
import type { Growth } from "../state/trace";
import type { Agent, Agents } from "../trace/agents";
import type { CallRow } from "../types.gen";

export interface Bar {
  readonly call: CallRow;
  /** Milliseconds since the trace began. */
  readonly from: number;
  /** When the first token came; null when none has. */
  readonly token: number | null;
  readonly to: number;
  readonly line: number;
  /** The gap after it in which its tools ran: until when. */
  readonly toolsUntil: number | null;
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

export function readLanes(agents: Agents, nowMs: number, growth: ReadonlyMap<string, Growth>): Lanes {
  const starts = agents.order.map((agent) => agent.startedMs);
  const startMs = starts.length > 0 ? Math.min(...starts) : nowMs;
  let top = 0;
  let lengthMs = 1;
  const lanes = agents.order.map((agent) => {
    const ends: number[] = [];
    const bars = agent.calls.map((call, at): Bar => {
      const from = instant(call.created_at) - startMs;
      const to = Math.max(from, call.status === "running" ? nowMs - startMs : from + (call.duration_ms ?? 0));
      const free = ends.findIndex((end) => end <= from);
      const line = free === -1 ? ends.length : free;
      ends[line] = to;
      lengthMs = Math.max(lengthMs, to);
      const next = agent.calls[at + 1];
      const nextFrom = next ? instant(next.created_at) - startMs : null;
      return {
        call,
        from,
        to,
        line,
        token: call.ttft_ms === null ? grownSince(growth.get(call.call_id), startMs) : from + call.ttft_ms,
        toolsUntil: call.tool_names.length > 0 && nextFrom !== null && nextFrom > to ? nextFrom : null,
      };
    });
    const lane: Lane = { agent, bars, lines: Math.max(1, ends.length), top };
    top += lane.lines;
    return lane;
  });
  return { lanes, lines: top, startMs, lengthMs };
}
