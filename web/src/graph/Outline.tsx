// The graph's text twin: the same agents and calls as a nested list.
import { cost, costSum, duration, plural, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import { StatusMark } from "../shell/marks";
import { now } from "../state/app";
import { go, place } from "../state/route";
import { type Agent, type Agents, totals, withDescendants } from "../trace/agents";
import { durationOf } from "../trace/columns";
import type { CallRow } from "../types.gen";

/** More calls than this of one agent are listed on request. */
const LISTED = 40;

function CallLine({ row }: { row: CallRow }) {
  return (
    <li>
      <button
        type="button"
        class="outline-call"
        aria-current={place.value.call === row.call_id ? "true" : undefined}
        onClick={() => go({ call: row.call_id, agent: null })}
      >
        <StatusMark status={row.status} />
        <span class="said">{visible(row.model ?? row.path)}</span>
        <span class="dim">
          {duration(durationOf(row, now.value))} · {tokens(row.tokens_output)} out · {cost(row.cost_usd)}
          {row.tool_names.length > 0 && <span class="said"> · asks for {visible(row.tool_names.join(", "))}</span>}
        </span>
      </button>
    </li>
  );
}

function AgentLine({ agents, agent }: { agents: Agents; agent: Agent }) {
  const whole = totals(withDescendants(agents, agent.threadId));
  const children = agent.children.map((id) => agents.byThread.get(id)).filter((child) => child !== undefined);
  return (
    <li>
      <button type="button" class="outline-agent" onClick={() => go({ agent: agent.threadId, call: null })}>
        <StatusMark status={agent.status} />
        <b class="said">{visible(agent.name)}</b>
        <span class="dim">
          {plural(agent.calls.length, "call")} · {tokens(whole.tokens)} · {costSum(whole.usd, whole.unpriced)}
          {agent.opened && ` · opened with ${Math.round(agent.opened.confidence * 100)} % confidence (${agent.opened.evidence})`}
        </span>
      </button>
      <ol>
        {agent.calls.slice(0, LISTED).map((row) => (
          <CallLine key={row.call_id} row={row} />
        ))}
        {agent.calls.length > LISTED && <li class="dim">and {plural(agent.calls.length - LISTED, "more call")}: see the table</li>}
        {children.map((child) => (
          <AgentLine key={child.threadId} agents={agents} agent={child} />
        ))}
      </ol>
    </li>
  );
}

export function Outline({ agents }: { agents: Agents }) {
  const roots = agents.roots.map((id) => agents.byThread.get(id)).filter((root) => root !== undefined);
  return (
    <ol class="outline" aria-label="Agents and their calls">
      {roots.map((root) => (
        <AgentLine key={root.threadId} agents={agents} agent={root} />
      ))}
    </ol>
  );
}
