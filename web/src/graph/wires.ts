// The edges of the picture: what the trace says, joined to the nodes that stand for its calls at this zoom.

import { type Agents, type Totals, totals, withDescendants } from "../trace/agents";
import { NO_SPANS, type SpansByCall, type ToolGroup, toolGroups } from "../trace/tools";
import type { CallRow, EdgeRow } from "../types.gen";
import { agentNodeId, answerNodeId, callNodeId, type Layout, laneOwner, type Node, toolNodeId } from "./node";

export type WireKind = "request" | "response" | "delegation" | "own";

export interface Wire {
  readonly id: string;
  readonly kind: WireKind;
  readonly from: Node;
  readonly to: Node;
  readonly path: string;
  /** The edge it stands for; null for the lines inside an agent. */
  readonly edge: EdgeRow | null;
  /** Several edges drawn as one. */
  readonly count: number;
  /** Of a delegation: all that came of it. */
  readonly totals: Totals | null;
  /** Where a word about it may stand. */
  readonly label: { readonly x: number; readonly y: number; readonly isLeft: boolean };
}

/** Below this an edge is dotted: a guess worth a second look. */
export const SURE = 0.8;
const SIDE_PX = 9;

function curve(x1: number, y1: number, x2: number, y2: number): string {
  if (Math.abs(x1 - x2) < 0.5) return `M${x1},${y1}V${y2}`;
  const bend = Math.max(14, Math.min(60, Math.abs(y2 - y1) / 2));
  const way = y2 >= y1 ? 1 : -1;
  return `M${x1},${y1}C${x1},${y1 + way * bend} ${x2},${y2 - way * bend} ${x2},${y2}`;
}

/** From the bottom of one to the top of the other; back up beside itself when the other stands above. */
function between(from: Node, to: Node): string {
  if (to.y > from.y) return curve(from.x, from.y + from.ry, to.x, to.y - to.ry);
  if (Math.abs(to.y - from.y) < 1) {
    const way = to.x > from.x ? 1 : -1;
    const lift = from.y + Math.max(from.ry, to.ry) + 22;
    return `M${from.x + way * 6},${from.y + from.ry}C${from.x + way * 6},${lift} ${to.x - way * 6},${lift} ${to.x - way * 6},${to.y + to.ry}`;
  }
  return curve(from.x + SIDE_PX, from.y - from.ry + 2, to.x + SIDE_PX, to.y + to.ry - 1);
}

/** Beside the arrow's tip, on the side the curve does not come from. */
function labelPlace(from: Node, to: Node): Wire["label"] {
  const isLeft = to.x < from.x - 1;
  return { x: to.x + (isLeft ? -8 : 8), y: to.y - to.ry - 9, isLeft };
}

export function wire(agents: Agents, edges: readonly EdgeRow[], layout: Layout, spans = NO_SPANS): readonly Wire[] {
  const threadOf = new Map<string, string>();
  const nextOf = new Map<string, string>();
  for (const agent of agents.order) {
    for (const [at, call] of agent.calls.entries()) {
      threadOf.set(call.call_id, agent.threadId);
      const next = agent.calls[at + 1];
      if (next) nextOf.set(call.call_id, next.call_id);
    }
  }
  const shown = (callId: string): Node | undefined =>
    layout.byId.get(callNodeId(callId)) ?? layout.byId.get(agentNodeId(threadOf.get(callId) ?? ""));
  const found = new Map<string, Wire>();
  const add = (kind: WireKind, from: Node | undefined, to: Node | undefined, edge: EdgeRow | null, path?: string) => {
    if (!from || !to || from === to) return;
    const id = `${kind}:${from.id}>${to.id}`;
    const old = found.get(id);
    if (old) {
      found.set(id, { ...old, count: old.count + 1 });
      return;
    }
    const sums = kind === "delegation" ? totals(withDescendants(agents, to.agent.threadId)) : null;
    const drawn = path ?? between(from, to);
    found.set(id, { id, kind, from, to, path: drawn, edge, count: 1, totals: sums, label: labelPlace(from, to) });
  };

  for (const edge of edges) {
    const from = shown(edge.from_call_id);
    const to = shown(edge.to_call_id);
    if (edge.edge_type === "delegation") {
      const child = layout.byId.get(agentNodeId(threadOf.get(edge.to_call_id) ?? ""));
      const opener = toolOf(layout, from, child, spans) ?? from;
      add("delegation", opener, child, edge, opener && child ? through(layout, opener, child) : undefined);
    } else if (edge.edge_type === "response") {
      const last = layout.byId.get(answerNodeId(edge.from_call_id)) ?? from;
      add("response", last, to, edge, last && to ? homeward(last, to) : undefined);
    } else if (from && to && !leadsThroughTools(layout, edge, nextOf.get(edge.from_call_id) === edge.to_call_id, spans)) {
      add("request", from, to, edge, through(layout, from, to));
    }
  }
  for (const agent of agents.order) own(agent.threadId, agents, layout, add, spans);
  return [...found.values()];
}

/** The tool that opened an agent stands between: the one that is known to, or the only one. */
function toolOf(layout: Layout, from: Node | undefined, child: Node | undefined, spans: SpansByCall): Node | undefined {
  if (from?.kind !== "call" || !from.call) return undefined;
  const groups = toolGroups(from.call, spans);
  const known = groups.find((group) => group.spans.some((span) => span.opened.includes(child?.agent.threadId ?? "")));
  const opener = known ?? (groups.length === 1 ? groups[0] : undefined);
  return opener ? layout.byId.get(toolNodeId(from.call.call_id, opener.name)) : undefined;
}

/** Which call a tool's lines lead on to: those that brought its results; the next turn while nothing is known of it. */
function onwardTo(group: ToolGroup, next: CallRow | undefined): readonly string[] {
  if (group.spans.length === 0) return next ? [next.call_id] : [];
  return [...new Set(group.spans.flatMap((span) => (span.result_call_id === null ? [] : [span.result_call_id])))];
}

/** Straight down its own column, where nothing else stands, and only then over to the call that took the result. */
function homeward(from: Node, to: Node): string | undefined {
  const turn = to.y - to.ry - 44;
  if (turn <= from.y + from.ry || Math.abs(from.x - to.x) < 1) return undefined;
  return `M${from.x},${from.y + from.ry}V${turn}${onward("M", curve(from.x, turn, to.x, to.y - to.ry))}`;
}

/** A turn that follows through the tools between is drawn through them. */
function leadsThroughTools(layout: Layout, edge: EdgeRow, isNext: boolean, spans: SpansByCall): boolean {
  const from = layout.byId.get(callNodeId(edge.from_call_id))?.call;
  const to = layout.byId.get(callNodeId(edge.to_call_id))?.call;
  if (!from || !to) return false;
  return toolGroups(from, spans).some((group) => onwardTo(group, isNext ? to : undefined).includes(to.call_id));
}

/** Down the lanes that were left free in the rows of agents between, if there are any. */
function through(layout: Layout, from: Node, to: Node): string | undefined {
  const lanes = (layout.lanes.get(laneOwner(from)) ?? []).filter((lane) => lane.bottom <= to.y - to.ry && lane.top >= from.y);
  if (lanes.length === 0) return undefined;
  let path = "";
  let x = from.x;
  let y = from.y + from.ry;
  for (const lane of lanes) {
    path += `${onward(path, curve(x, y, lane.x, lane.top))}V${lane.bottom}`;
    x = lane.x;
    y = lane.bottom;
  }
  return path + onward(path, curve(x, y, to.x, to.y - to.ry));
}

/** A piece of path that goes on from where the one before ended. */
function onward(before: string, piece: string): string {
  return before ? piece.replace(/^M[^CV]*/, "") : piece;
}

type Add = (kind: WireKind, from: Node | undefined, to: Node | undefined, edge: EdgeRow | null, path?: string) => void;

/** The lines inside an unfolded agent: circle to first call, call to its tools, tools to the next call, last call to the answer. */
function own(threadId: string, agents: Agents, layout: Layout, add: Add, spans: SpansByCall): void {
  const agent = agents.byThread.get(threadId);
  const first = layout.byId.get(callNodeId(agent?.calls[0]?.call_id ?? ""));
  if (!agent || !first) return;
  add("own", layout.byId.get(agentNodeId(threadId)), first, null);
  for (const [at, call] of agent.calls.entries()) {
    const node = layout.byId.get(callNodeId(call.call_id));
    const next = agent.calls[at + 1];
    for (const tool of toolGroups(call, spans)) {
      const hexagon = layout.byId.get(toolNodeId(call.call_id, tool.name));
      add("own", node, hexagon, null);
      for (const callId of onwardTo(tool, next)) {
        const after = layout.byId.get(callNodeId(callId));
        if (hexagon && after) add("own", hexagon, after, null, through(layout, hexagon, after));
      }
    }
    add("own", node, layout.byId.get(answerNodeId(call.call_id)), null);
  }
}

/** Everything on the way from the roots to a node: their ids and the ids of the wires between. */
export function pathToRoot(nodeId: string, wires: readonly Wire[]): ReadonlySet<string> {
  const into = new Map<string, Wire[]>();
  for (const each of wires) {
    if (each.kind !== "response") into.set(each.to.id, [...(into.get(each.to.id) ?? []), each]);
  }
  const lit = new Set<string>([nodeId]);
  const waiting = [nodeId];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const each of into.get(id) ?? []) {
      lit.add(each.id);
      if (!lit.has(each.from.id)) {
        lit.add(each.from.id);
        waiting.push(each.from.id);
      }
    }
  }
  return lit;
}
