// The turns of a thread: which call came before which. A fetched detail is kept while its call is finished: it cannot change.
import { api } from "../lib/api";
import type { CallDetail, CallRow, EdgeRow } from "../types.gen";

const KEPT = 24;
const kept = new Map<string, CallDetail>();

export async function finishedDetail(callId: string): Promise<CallDetail> {
  const found = kept.get(callId);
  if (found) return found;
  const detail = await api.call(callId);
  if (detail.call.status !== "running") {
    kept.set(callId, detail);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value ?? "");
  }
  return detail;
}

/** The call whose conversation this one continues: by its request edge, else the one before it in the thread. */
export function previousTurn(row: CallRow, calls: readonly CallRow[], edges: readonly EdgeRow[]): CallRow | null {
  const edge = edges.find((each) => each.to_call_id === row.call_id && each.edge_type === "request");
  const byEdge = edge && calls.find((each) => each.call_id === edge.from_call_id);
  if (byEdge) return byEdge;
  const thread = calls.filter((each) => each.thread_id === row.thread_id);
  const at = thread.findIndex((each) => each.call_id === row.call_id);
  return at > 0 ? (thread[at - 1] ?? null) : null;
}

export function turnsOf(threadId: string, calls: readonly CallRow[]): readonly CallRow[] {
  return calls.filter((each) => each.thread_id === threadId);
}
