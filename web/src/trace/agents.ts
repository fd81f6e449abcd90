// Threads read as agents: what each did, what it cost, who opened it. Pure; recomputed when the trace changes.

import { instant } from "../lib/format";
import type { CallRow, EdgeRow } from "../types.gen";

/** Kinds of calls that are the work itself; all others are its noise. */
export const MAIN_KINDS: ReadonlySet<string> = new Set(["turn", "retry", "replay"]);

export interface Agent {
  readonly threadId: string;
  readonly name: string;
  /** By first appearance, from 0. */
  readonly index: number;
  readonly calls: readonly CallRow[];
  /** The edge that opened it, from a call of another thread; null for a root. */
  readonly opened: EdgeRow | null;
  readonly parent: string | null;
  readonly children: readonly string[];
  readonly depth: number;
  readonly status: string;
  readonly startedMs: number;
  /** Null while it runs. */
  readonly endedMs: number | null;
  readonly tokensInput: number;
  readonly tokensOutput: number;
  readonly usd: number | null;
  readonly unpriced: number;
  readonly errors: number;
  /** Tokens of its last answer, where that came back to who opened it. */
  readonly handedBack: number | null;
}

export interface Agents {
  readonly byThread: ReadonlyMap<string, Agent>;
  /** Depth first: each agent is followed by those it opened. */
  readonly order: readonly Agent[];
  readonly roots: readonly string[];
}

/** State of an agent: running while one of its calls is; else that of its last call. */
function statusOf(calls: readonly CallRow[]): string {
  if (calls.some((call) => call.status === "running")) return "running";
  return calls.findLast((call) => call.kind === "turn" || call.kind === "retry")?.status ?? calls.at(-1)?.status ?? "completed";
}

function sum(calls: readonly CallRow[], read: (call: CallRow) => number | null): number {
  let total = 0;
  for (const call of calls) total += read(call) ?? 0;
  return total;
}

function isPriced(call: CallRow): boolean {
  return call.cost_usd !== null;
}

/** Opened by: the earliest delegation edge from another thread into this one. */
function openings(calls: readonly CallRow[], edges: readonly EdgeRow[]): Map<string, { edge: EdgeRow; parent: string }> {
  const threadOf = new Map(calls.map((call) => [call.call_id, call.thread_id]));
  const found = new Map<string, { edge: EdgeRow; parent: string }>();
  for (const edge of edges) {
    if (edge.edge_type !== "delegation") continue;
    const parent = threadOf.get(edge.from_call_id);
    const child = threadOf.get(edge.to_call_id);
    if (parent === undefined || child === undefined || parent === child || found.has(child)) continue;
    found.set(child, { edge, parent });
  }
  return found;
}

export function readAgents(calls: readonly CallRow[], edges: readonly EdgeRow[]): Agents {
  const threads = new Map<string, CallRow[]>();
  for (const call of calls) {
    const thread = threads.get(call.thread_id);
    if (thread) thread.push(call);
    else threads.set(call.thread_id, [call]);
  }
  const opened = openings(calls, edges);
  const children = new Map<string, string[]>();
  for (const thread of threads.keys()) {
    const parent = opened.get(thread)?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), thread]);
  }
  const returned = new Set(edges.filter((edge) => edge.edge_type === "response").map((edge) => edge.from_call_id));
  const byThread = new Map<string, Agent>();
  const order: Agent[] = [];
  const indexes = new Map([...threads.keys()].map((thread, index) => [thread, index]));
  const visit = (threadId: string, depth: number) => {
    if (byThread.has(threadId)) return;
    const mine = threads.get(threadId) ?? [];
    const opening = opened.get(threadId);
    const index = indexes.get(threadId) ?? 0;
    const named = mine.find((call) => call.agent_name)?.agent_name;
    const unpriced = mine.filter((call) => !isPriced(call) && call.status !== "running").length;
    const isRunning = mine.some((call) => call.status === "running");
    const agent: Agent = {
      threadId,
      index,
      name: named ?? (threads.size === 1 ? "agent" : `agent ${index + 1}`),
      calls: mine,
      opened: opening?.edge ?? null,
      parent: opening?.parent ?? null,
      children: children.get(threadId) ?? [],
      depth,
      status: statusOf(mine),
      startedMs: instant(mine[0]?.created_at ?? ""),
      endedMs: isRunning ? null : Math.max(...mine.map((call) => instant(call.ended_at ?? call.created_at))),
      tokensInput: sum(mine, (call) => call.tokens_input),
      tokensOutput: sum(mine, (call) => call.tokens_output),
      usd: mine.some(isPriced) ? sum(mine, (call) => call.cost_usd) : null,
      unpriced,
      errors: mine.filter((call) => call.error !== null && call.status !== "cancelled").length,
      handedBack: mine.some((call) => returned.has(call.call_id)) ? (mine.at(-1)?.tokens_output ?? null) : null,
    };
    byThread.set(threadId, agent);
    order.push(agent);
    for (const child of agent.children) visit(child, depth + 1);
  };
  const isMain = (thread: string) => threads.get(thread)?.some((call) => MAIN_KINDS.has(call.kind)) ?? false;
  const unopened = [...threads.keys()].filter((thread) => !opened.has(thread));
  // Titles, probes and the like come last, whenever they began.
  const roots = [...unopened.filter(isMain), ...unopened.filter((thread) => !isMain(thread))];
  for (const root of roots) visit(root, 0);
  // A ring of delegations has no root: the first of it is taken for one.
  for (const thread of threads.keys()) {
    if (byThread.has(thread)) continue;
    roots.push(thread);
    visit(thread, 0);
  }
  return { byThread, order, roots };
}

/** An agent with everybody it opened, directly or not: what its delegation cost in all. */
export function withDescendants(agents: Agents, threadId: string): readonly Agent[] {
  const found: Agent[] = [];
  const seen = new Set<string>();
  const visit = (id: string) => {
    const agent = agents.byThread.get(id);
    if (!agent || seen.has(id)) return;
    seen.add(id);
    found.push(agent);
    for (const child of agent.children) visit(child);
  };
  visit(threadId);
  return found;
}

/** The thread that a trace is about: the root below which most calls were made. */
export function mainThread(calls: readonly CallRow[], edges: readonly EdgeRow[]): string | null {
  const agents = readAgents(calls, edges);
  let best: string | null = null;
  let most = 0;
  for (const root of agents.roots) {
    const count = totals(withDescendants(agents, root)).calls;
    if (count > most) {
      best = root;
      most = count;
    }
  }
  return best;
}

export interface Totals {
  readonly calls: number;
  readonly tokens: number;
  readonly usd: number | null;
  readonly unpriced: number;
}

export function totals(agents: readonly Agent[]): Totals {
  return {
    calls: agents.reduce((total, agent) => total + agent.calls.length, 0),
    tokens: agents.reduce((total, agent) => total + agent.tokensInput + agent.tokensOutput, 0),
    usd: agents.some((agent) => agent.usd !== null) ? agents.reduce((total, agent) => total + (agent.usd ?? 0), 0) : null,
    unpriced: agents.reduce((total, agent) => total + agent.unpriced, 0),
  };
}
