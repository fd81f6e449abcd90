// One line under the graph says what the pointer is on: nothing pops up over what is being read.
import { clock, costSum, duration, plural, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import { durationOf } from "../trace/columns";
import type { Node } from "./node";
import { nodeTitle } from "./shapes";
import { SURE, type Wire } from "./wires";

const WIRE_WORDS: Record<string, string> = {
  request: "request: the next turn of the same conversation",
  response: "response: the result handed back",
  delegation: "delegation",
  own: "inside the agent",
};

function WireStatus({ wire }: { wire: Wire }) {
  const { edge, totals: sums } = wire;
  return (
    <>
      <b>{WIRE_WORDS[wire.kind]}</b>
      <span class="said">
        {visible(wire.from.agent.name)} → {visible(wire.to.agent.name)}
      </span>
      {edge && (
        <span class="said">
          evidence: {visible(edge.evidence)}, confidence {Math.round(edge.confidence * 100)} %{edge.confidence < SURE ? " (unsure)" : ""}
        </span>
      )}
      {sums && (
        <span>
          {plural(sums.calls, "call")}, {tokens(sums.tokens)}, {costSum(sums.usd, sums.unpriced)} in all
        </span>
      )}
      {wire.count > 1 && <span>{wire.count} edges</span>}
    </>
  );
}

function NodeStatus({ node, nowMs }: { node: Node; nowMs: number }) {
  const { call } = node;
  return (
    <>
      <b class="said">{nodeTitle(node)}</b>
      {call && node.kind === "call" && (
        <span>
          {clock(call.created_at)} · {duration(durationOf(call, nowMs))} · {tokens(call.tokens_input)} in, {tokens(call.tokens_output)} out
          · {costSum(call.cost_usd, call.cost_usd === null && call.status !== "running" ? 1 : 0)}
        </span>
      )}
    </>
  );
}

function Legend() {
  return (
    <>
      <span class="key">
        <i class="key-root" /> orchestrator
      </span>
      <span class="key">
        <i class="key-agent" /> sub-agent
      </span>
      <span class="key">
        <i class="key-call" /> call
      </span>
      <span class="key">
        <i class="key-tool" /> tool
      </span>
      <span class="key">
        <i class="key-line delegation" /> delegation
      </span>
      <span class="key">
        <i class="key-line request" /> request
      </span>
      <span class="key">
        <i class="key-line response" /> response
      </span>
    </>
  );
}

export function GraphStatus({ node, wire, nowMs }: { node: Node | null; wire: Wire | null; nowMs: number }) {
  return <div class="graph-status">{node ? <NodeStatus node={node} nowMs={nowMs} /> : wire ? <WireStatus wire={wire} /> : <Legend />}</div>;
}
