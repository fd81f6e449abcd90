// How each kind of node looks: the author's language. State is a shape too, not only a colour.
import { compact, costSum, cut, duration, oneLine, plural, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import type { Growth } from "../state/trace";
import { type Agent, MAIN_KINDS, totals } from "../trace/agents";
import { durationOf } from "../trace/columns";
import { fateOf, fateWords, shortFate } from "../trace/tools";
import type { CallRow } from "../types.gen";
import type { Node } from "./node";

export interface Look {
  readonly node: Node;
  readonly nowMs: number;
  readonly growth: Growth | undefined;
  readonly isSelected: boolean;
  readonly isLit: boolean;
  readonly isDim: boolean;
  readonly isOpen: boolean;
}

export function nodeTitle(node: Node): string {
  const { agent, call } = node;
  if (node.kind === "agent") {
    const back = agent.handedBack === null ? "" : `, handed back ${plural(agent.handedBack, "token")}`;
    return `${visible(agent.name)}: ${plural(agent.calls.length, "call")}, ${agent.status}${back}`;
  }
  if (node.kind === "tool") {
    const became = fateWords(node.spans);
    return `tool ${visible(node.name)}${node.times > 1 ? `, ${node.times} times` : ""}${became ? `: ${became}` : ""}`;
  }
  if (node.kind === "answer") return `answer of ${visible(agent.name)}`;
  return `call to ${visible(call?.model ?? "unknown model")} by ${visible(agent.name)}, ${call?.status ?? ""}`;
}

function agentClock(node: Node, nowMs: number): string {
  return duration(Math.max(0, (node.agent.endedMs ?? nowMs) - node.agent.startedMs));
}

/** A cross, a slash, else an exclamation mark. */
const BADGES: Readonly<Record<string, string>> = { failed: "M-2.8-2.8 2.8 2.8M2.8-2.8-2.8 2.8", cancelled: "M-3 3 3-3" };

/** What came back of a delegation. */
function handedBack(agent: Agent): string {
  return agent.handedBack === null ? "" : ` · ↩ ${compact(agent.handedBack)} tok`;
}

function Badge({ x, y, status }: { x: number; y: number; status: string }) {
  if (status === "completed" || status === "running") return null;
  return (
    <g class={`node-badge badge-is-${status}`} transform={`translate(${x},${y})`}>
      <circle r="7.5" />
      <path d={BADGES[status] ?? "M0-3.6V.8M0 3.4v.2"} />
    </g>
  );
}

function AgentShape({ node, nowMs, isOpen }: Look) {
  const { agent, rx } = node;
  const sums = totals([agent]);
  const price = sums.usd === null && sums.unpriced > 0 ? "unpriced" : costSum(sums.usd, 0);
  const lines = [
    `${plural(sums.calls, "call")}${sums.tokens > 0 ? ` · ${compact(sums.tokens)} tok` : ""}`,
    agent.parent === null ? `${price} · ${agentClock(node, nowMs)}` : `${agentClock(node, nowMs)}${handedBack(agent)}`,
  ];
  return (
    <>
      {agent.status === "running" && <circle class="halo" r={rx + 5} />}
      <circle class={agent.parent === null ? "shape shape-root" : "shape shape-agent"} r={rx} />
      <text class="node-count" dy="0.35em">
        {agent.calls.length}
      </text>
      {agent.children.length + agent.calls.length > 1 && (
        <path class="node-fold" d={isOpen ? "M-4 0h8" : "M-4 0h8M0-4v8"} transform={`translate(0,${rx - 7})`} />
      )}
      <text class="node-label" x={rx + 9}>
        <tspan class="node-name" x={rx + 9} dy="-0.55em">
          {cut(oneLine(visible(agent.name)), 19)}
        </tspan>
        <tspan x={rx + 9} dy="1.3em">
          {lines[0]}
        </tspan>
        <tspan x={rx + 9} dy="1.25em">
          {lines[1]}
        </tspan>
      </text>
      <Badge x={rx * 0.72} y={-rx * 0.72} status={agent.status} />
    </>
  );
}

/** How a call without an answer ended. */
function endWord(call: CallRow): string {
  if (call.status === "cancelled") return "cancelled";
  return call.http_status !== null && call.http_status >= 400 ? `HTTP ${call.http_status}` : "error";
}

function CallShape({ node, nowMs, growth }: Look) {
  const { call, rx, ry } = node;
  if (!call) return null;
  const isNoise = !MAIN_KINDS.has(call.kind);
  const took = duration(durationOf(call, nowMs));
  const meta =
    call.status === "running"
      ? growth
        ? `${took} · ${compact(growth.chars)} characters`
        : `${took} · waiting`
      : call.error !== null && call.tokens_output === null
        ? `${took} · ${endWord(call)}`
        : `${took} · ${compact(call.tokens_input ?? 0)} → ${tokens(call.tokens_output)}`;
  return (
    <>
      {call.status === "running" && <rect class="halo" x={-rx - 5} y={-ry - 5} width={2 * rx + 10} height={2 * ry + 10} rx="13" />}
      <rect class={`shape shape-call${isNoise ? " is-noise" : ""}`} x={-rx} y={-ry} width={2 * rx} height={2 * ry} rx="9" />
      <text class="call-text">
        <tspan class="node-name" x="0" dy="-0.2em">
          {cut(oneLine(visible(call.kind !== "turn" ? `${call.kind}: ${node.name}` : node.name)), 21)}
        </tspan>
        <tspan x="0" dy="1.35em">
          {meta}
        </tspan>
      </text>
      <Badge x={rx - 2} y={-ry + 2} status={call.status} />
    </>
  );
}

function ToolShape({ node }: Look) {
  const { rx, ry, spans } = node;
  const { state, failed } = fateOf(spans);
  const slope = 11;
  const points = `${-rx},0 ${-rx + slope},${-ry} ${rx - slope},${-ry} ${rx},0 ${rx - slope},${ry} ${-rx + slope},${ry}`;
  return (
    <>
      {state === "running" && <polygon class="halo" points={points} transform={`scale(${(rx + 5) / rx},${(ry + 5) / ry})`} />}
      <polygon class={`shape shape-tool${state === "unseen" ? " is-unseen" : ""}`} points={points} />
      <text class="tool-text">
        <tspan class="node-name" x="0" dy="-0.25em">
          {cut(oneLine(visible(node.name)), 16)}
          {node.times > 1 ? ` ×${node.times}` : ""}
        </tspan>
        <tspan x="0" dy="1.25em">
          {shortFate(spans)}
        </tspan>
      </text>
      {failed > 0 && <Badge x={rx - 6} y={-ry + 2} status="failed" />}
    </>
  );
}

function AnswerShape({ node }: Look) {
  const { rx, ry, call } = node;
  return (
    <>
      <rect class="shape shape-answer" x={-rx} y={-ry} width={2 * rx} height={2 * ry} rx={ry} />
      <text class="answer-text" dy="0.35em">
        {cut(oneLine(visible(call?.answer_preview ?? "answer")), 20)}
      </text>
    </>
  );
}

export function NodeShape(look: Look) {
  const { node } = look;
  const state = [
    "node",
    `node-${node.kind}`,
    look.isSelected && "is-selected",
    look.isLit && "is-lit",
    look.isDim && "is-dim",
    (node.call ?? node.agent).status === "running" && node.kind !== "tool" && "is-running",
  ];
  return (
    <g class={state.filter(Boolean).join(" ")} data-node={node.id} transform={`translate(${node.x},${node.y})`}>
      <title>{nodeTitle(node)}</title>
      {look.isSelected && <Selection node={node} />}
      {node.kind === "agent" && <AgentShape {...look} />}
      {node.kind === "call" && <CallShape {...look} />}
      {node.kind === "tool" && <ToolShape {...look} />}
      {node.kind === "answer" && <AnswerShape {...look} />}
    </g>
  );
}

function Selection({ node }: { node: Node }) {
  const { rx, ry } = node;
  if (node.kind === "agent") return <circle class="selection" r={rx + 5} />;
  return (
    <rect class="selection" x={-rx - 5} y={-ry - 5} width={2 * rx + 10} height={2 * ry + 10} rx={node.kind === "call" ? 13 : ry + 5} />
  );
}
