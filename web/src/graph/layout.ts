// Where everything stands. Time flows down; an agent is a column: its circle, then, unfolded, its calls; what a call set off
// (tools, agents) stands side by side below it and before the next call. Pure: the same trace and pins give the same picture.
import type { Agent, Agents } from "../trace/agents";
import { fateOf, NO_SPANS, type SpansByCall, toolGroups } from "../trace/tools";
import type { CallRow } from "../types.gen";
import type { Pins } from "./arrange";
import { agentNodeId, answerNodeId, callNodeId, type Lane, type Layout, NOTHING_RAN, type Node, toolNodeId } from "./node";
import { asItem, type Block, type Item, laneItem, type Places, Stack, type Under } from "./stack";

export const ROOT_R = 24;
export const AGENT_R = 20;
/** Room for an agent's name and sums, right of its circle. */
export const LABEL_PX = 132;
const CALL_RX = 84;
const CALL_RY = 22;
const ANSWER_RX = 70;
const ANSWER_RY = 15;
const STEP_PX = 26;
const ROW_GAP_PX = 62;
/** Agents beside each other before a second row begins. */
const MOST_IN_ROW = 10;

export function toolHalfWidth(name: string, times: number): number {
  return Math.min(76, Math.max(38, 20 + (Math.min(name.length, 17) + (times > 1 ? 3 : 0)) * 3.4));
}

class Builder {
  readonly places: Places;
  readonly #agents: Agents;
  readonly #isOpen: (threadId: string) => boolean;
  readonly #spans: SpansByCall;
  readonly #building = new Set<string>();

  constructor(agents: Agents, isOpen: (threadId: string) => boolean, pins: Pins, spans: SpansByCall) {
    this.#agents = agents;
    this.#spans = spans;
    this.#isOpen = isOpen;
    this.places = { before: pins, after: new Map() };
  }

  /** Rows of agents below each other; a lane leads through each row that something passes. */
  rows(blocks: readonly Block[], under: Under, isFollowed: boolean, stack: Stack): void {
    for (let from = 0; from < blocks.length; from += MOST_IN_ROW) {
      if (from > 0) stack.skip(ROW_GAP_PX);
      const row = blocks.slice(from, from + MOST_IN_ROW).map(asItem);
      const isPassed = isFollowed || from + MOST_IN_ROW < blocks.length;
      if (isPassed && under.agent) row.splice(Math.ceil(row.length / 2), 0, laneItem(under.owner, from));
      stack.row(row, this.places, under);
    }
  }

  block(threadId: string): Block {
    const agent = this.#agents.byThread.get(threadId) as Agent;
    this.#building.add(threadId);
    const r = agent.parent === null ? ROOT_R : AGENT_R;
    const circle: Node = {
      id: agentNodeId(threadId),
      kind: "agent",
      x: 0,
      y: r,
      rx: r,
      ry: r,
      agent,
      call: null,
      name: agent.name,
      times: 1,
      spans: NOTHING_RAN,
    };
    const stack = new Stack(2 * r);
    stack.nodes.push(circle);
    stack.widen(r + 2, r + LABEL_PX);
    if (this.#isOpen(threadId)) this.#calls(agent, stack);
    else this.#folded(agent, stack);
    return { id: threadId, left: stack.left, right: stack.right, height: stack.y, nodes: stack.nodes, lanes: stack.lanes };
  }

  #children(ids: readonly string[]): Block[] {
    return ids.filter((id) => !this.#building.has(id)).map((id) => this.block(id));
  }

  #folded(agent: Agent, stack: Stack): void {
    const blocks = this.#children(agent.children);
    if (blocks.length === 0) return;
    stack.skip(ROW_GAP_PX);
    this.rows(blocks, { owner: agent.threadId, agent, call: null }, false, stack);
  }

  #calls(agent: Agent, stack: Stack): void {
    const openedBy = new Map<string, string[]>();
    const calls = new Set(agent.calls.map((call) => call.call_id));
    for (const child of agent.children) {
      const from = this.#agents.byThread.get(child)?.opened?.from_call_id ?? "";
      const key = calls.has(from) ? from : (agent.calls[0]?.call_id ?? "");
      openedBy.set(key, [...(openedBy.get(key) ?? []), child]);
    }
    for (const call of agent.calls) {
      stack.skip(STEP_PX);
      stack.node({
        id: callNodeId(call.call_id),
        kind: "call",
        rx: CALL_RX,
        ry: CALL_RY,
        agent,
        call,
        name: call.model ?? call.path,
        times: 1,
        spans: NOTHING_RAN,
      });
      this.#below(agent, call, openedBy.get(call.call_id) ?? [], stack);
    }
    const last = agent.calls.at(-1);
    if (last && last.status === "completed" && last.tool_names.length === 0 && last.answer_preview) {
      stack.skip(STEP_PX);
      stack.node({
        id: answerNodeId(last.call_id),
        kind: "answer",
        rx: ANSWER_RX,
        ry: ANSWER_RY,
        agent,
        call: last,
        name: "answer",
        times: 1,
        spans: NOTHING_RAN,
      });
    }
  }

  /** What a call set off: its tools, and the agents it opened. */
  #below(agent: Agent, call: CallRow, children: readonly string[], stack: Stack): void {
    const tools = toolGroups(call, this.#spans);
    const blocks = this.#children(children);
    if (tools.length === 0 && blocks.length === 0) return;
    stack.skip(STEP_PX);
    const under: Under = { owner: call.call_id, agent, call };
    const items: Item[] = tools.map((tool) => {
      const half = toolHalfWidth(tool.name, tool.times);
      return { extent: { id: toolNodeId(call.call_id, tool.name), left: half, right: half }, block: null, tool };
    });
    if (items.length > 0) {
      // Where no tool leads on to the next turn, its own line does, beside them.
      if (agent.calls.at(-1) !== call && tools.every(({ spans }) => fateOf(spans).state === "unseen")) items.push(laneItem(call.call_id, -1));
      stack.row(items, this.places, under);
      if (blocks.length > 0) stack.skip(ROW_GAP_PX - STEP_PX / 2);
    }
    // The next turn passes here; while the agents still work it has not come yet, and its lane is kept for it.
    this.rows(blocks, under, true, stack);
  }
}

function byCall(lanes: readonly (readonly [string, Lane])[]): ReadonlyMap<string, readonly Lane[]> {
  const found = new Map<string, Lane[]>();
  for (const [callId, lane] of lanes) found.set(callId, [...(found.get(callId) ?? []), lane]);
  return found;
}

export function layOut(agents: Agents, isOpen: (threadId: string) => boolean, pins: Pins = new Map(), spans = NO_SPANS): Layout {
  const builder = new Builder(agents, isOpen, pins, spans);
  const stack = new Stack(0);
  builder.rows(
    agents.roots.map((root) => builder.block(root)),
    { owner: "", agent: null, call: null },
    false,
    stack,
  );
  return {
    nodes: stack.nodes,
    byId: new Map(stack.nodes.map((node) => [node.id, node])),
    lanes: byCall(stack.lanes),
    pins: builder.places.after,
    left: -stack.left,
    right: stack.right,
    top: 0,
    bottom: stack.y,
  };
}
