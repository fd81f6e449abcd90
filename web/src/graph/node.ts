// What the picture is made of.
import type { Agent } from "../trace/agents";
import type { CallRow, ToolSpan } from "../types.gen";
import type { Pins } from "./arrange";

export type NodeKind = "agent" | "call" | "tool" | "answer";

export interface Node {
  readonly id: string;
  readonly kind: NodeKind;
  /** Centre of the shape. */
  readonly x: number;
  readonly y: number;
  /** Half the width and half the height of the shape. */
  readonly rx: number;
  readonly ry: number;
  readonly agent: Agent;
  readonly call: CallRow | null;
  /** Tool: its name. */
  readonly name: string;
  /** Tool: how often the call asked for it. */
  readonly times: number;
  /** Tool: what is known of its runs. */
  readonly spans: readonly ToolSpan[];
}

export const NOTHING_RAN: readonly ToolSpan[] = [];

/** A free lane through a row of agents, for the edge that passes it. */
export interface Lane {
  readonly x: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Layout {
  readonly nodes: readonly Node[];
  readonly byId: ReadonlyMap<string, Node>;
  /** By who has the row that they lead through (`laneOwner`), from top to bottom. */
  readonly lanes: ReadonlyMap<string, readonly Lane[]>;
  readonly pins: Pins;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export const agentNodeId = (threadId: string) => `agent:${threadId}`;
export const callNodeId = (callId: string) => `call:${callId}`;
export const toolNodeId = (callId: string, name: string) => `tool:${callId}:${name}`;
export const answerNodeId = (callId: string) => `answer:${callId}`;

/** A call, or a folded agent, owns the lanes through the rows of agents below it. */
export function laneOwner(node: Node): string {
  return node.kind === "agent" ? node.agent.threadId : (node.call?.call_id ?? "");
}
