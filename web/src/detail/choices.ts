// What a person may mean when he says who opened a call, or where it belongs: pure, from what the page holds.
import { oneLine } from "../lib/format";
import type { CallRow, DecisionView, EdgeRow, TraceRow } from "../types.gen";

const SHOWN = 6;
/** Fewer characters name no id. */
export const ID_CHARS = 6;

function holds(text: string, words: readonly (string | null)[]): boolean {
  const wanted = text.trim().toLowerCase();
  return words.some((word) => word?.toLowerCase().includes(wanted));
}

/** Earlier calls of other threads, the nearest first: only what came before can have opened it. */
export function openers(calls: readonly CallRow[], row: CallRow, text: string): readonly CallRow[] {
  return calls
    .filter((one) => one.thread_id !== row.thread_id && (one.created_at < row.created_at || (one.created_at === row.created_at && one.call_id < row.call_id)))
    .filter((one) => holds(text, [one.call_id, one.agent_name, one.prompt_preview, one.answer_preview, one.model, ...one.tool_names]))
    .toReversed()
    .slice(0, SHOWN);
}

export function otherTraces(traces: Iterable<TraceRow>, row: CallRow, text: string): readonly TraceRow[] {
  if (text.trim() === "") return [];
  return [...traces]
    .filter((one) => one.trace_id !== row.trace_id && holds(text, [one.trace_id, one.name, one.task_description]))
    .slice(0, SHOWN);
}

export function callName(row: CallRow | null, callId: string): string {
  if (!row) return callId;
  const words = oneLine(row.prompt_preview ?? row.path).slice(0, 60);
  return `${row.agent_name ?? row.model ?? row.kind}: ${words}`;
}

/** Edges that lead to the call, those that a person said aside: they are taken back, not cut. */
export function cuttable(edges: readonly EdgeRow[], row: CallRow): readonly EdgeRow[] {
  return edges.filter((edge) => edge.to_call_id === row.call_id && edge.evidence !== "by hand");
}

export function inWords(said: DecisionView, name: (callId: string) => string): string {
  switch (said.kind) {
    case "opened_by":
      return `opened by ${name(said.other)}`;
    case "trace":
      return `belongs to the trace ${said.other}`;
    case "apart":
      return "a trace of its own";
    default:
      return `no ${said.edge_type} from ${name(said.other)}`;
  }
}
