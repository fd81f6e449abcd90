// Which agents stand unfolded, and which calls are noise: both are read from the URL.
import { go, place } from "../state/route";
import { type Agents, MAIN_KINDS } from "../trace/agents";
import type { CallRow } from "../types.gen";

/** An agent alone is unfolded at once, unless that would be a tower. */
const MOST_CALLS_UNFOLDED_ALONE = 60;

/** Threads made of helper calls only (titles, probes, counts) are left out until `helpers` is asked for. */
export function hideHelpers(calls: readonly CallRow[], open: readonly string[]): { calls: readonly CallRow[]; helpers: number } {
  const main = new Set<string>();
  for (const call of calls) if (MAIN_KINDS.has(call.kind)) main.add(call.thread_id);
  const helpers = calls.filter((call) => !main.has(call.thread_id)).length;
  if (helpers === 0 || helpers === calls.length) return { calls, helpers: 0 };
  return { calls: open.includes("helpers") ? calls : calls.filter((call) => main.has(call.thread_id)), helpers };
}

export function isThreadOpen(threadId: string, open: readonly string[], agents: Agents): boolean {
  const isAlone = agents.order.length === 1 && (agents.order[0]?.calls.length ?? 0) <= MOST_CALLS_UNFOLDED_ALONE;
  const isNamed = open.includes(threadId);
  return open.includes("*") ? !open.includes(`-${threadId}`) : isAlone !== isNamed;
}

/** An agent that stood unfolded because it was alone stays so when the next one comes. */
export function keepUnfolded(agents: Agents, wasAlone: string | null): string | null {
  const only = agents.order.length === 1 ? (agents.order[0] ?? null) : null;
  if (only) return only.calls.length <= MOST_CALLS_UNFOLDED_ALONE ? only.threadId : null;
  const { open } = place.peek();
  if (wasAlone !== null && agents.byThread.has(wasAlone) && !open.includes("*")) {
    go({ open: open.includes(wasAlone) ? open.filter((each) => each !== wasAlone) : [...open, wasAlone] }, "replace");
  }
  return null;
}

export function toggleThread(threadId: string, agents: Agents): void {
  const { open } = place.peek();
  const key = open.includes("*") ? `-${threadId}` : threadId;
  const next = open.includes(key) ? open.filter((each) => each !== key) : [...open, key];
  go({ open: next.filter((each) => agents.byThread.has(each.replace(/^-/, "")) || each === "*" || each === "helpers") }, "replace");
}
