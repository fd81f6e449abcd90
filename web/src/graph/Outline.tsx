// The graph's text twin: the same agents and calls as a nested list.
import { cost, costSum, duration, plural, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import { StatusMark } from "../shell/marks";
import { now } from "../state/app";
import { go, place } from "../state/route";
import { type Agent, type Agents, totals, withDescendants } from "../trace/agents";
import { durationOf } from "../trace/columns";
import { fateOf, fateWords, type SpansByCall, type ToolGroup, toolGroups } from "../trace/tools";
import type { CallRow } from "../types.gen";

/** More calls than this of one agent are listed on request. */
const LISTED = 40;

function ToolLine({ row, group }: { row: CallRow; group: ToolGroup }) {
  const first = group.spans[0];
  const words = fateWords(group.spans);
  return (
    <li>
      <button
        type="button"
        class="outline-tool"
        disabled={!first}
        aria-current={place.value.call === row.call_id && group.spans.some((span) => span.number === place.value.tool) ? "true" : undefined}
        onClick={() => first && go({ call: row.call_id, agent: null, tool: first.number })}
      >
        <i class="hex" aria-hidden="true" />
        <span class="said">
          {visible(group.name)}
          {group.times > 1 && ` ×${group.times}`}
        </span>
        <span class={fateOf(group.spans).failed > 0 ? "bad" : "dim"}>{words}</span>
      </button>
    </li>
  );
}

function CallLine({ row, spans }: { row: CallRow; spans: SpansByCall }) {
  const groups = toolGroups(row, spans);
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
        </span>
      </button>
      {groups.length > 0 && (
        <ul aria-label="Tools">
          {groups.map((group) => (
            <ToolLine key={group.name} row={row} group={group} />
          ))}
        </ul>
      )}
    </li>
  );
}

function AgentLine({ agents, agent, spans }: { agents: Agents; agent: Agent; spans: SpansByCall }) {
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
          <CallLine key={row.call_id} row={row} spans={spans} />
        ))}
        {agent.calls.length > LISTED && <li class="dim">and {plural(agent.calls.length - LISTED, "more call")}: see the table</li>}
        {children.map((child) => (
          <AgentLine key={child.threadId} agents={agents} agent={child} spans={spans} />
        ))}
      </ol>
    </li>
  );
}

export function Outline({ agents, spans }: { agents: Agents; spans: SpansByCall }) {
  const roots = agents.roots.map((id) => agents.byThread.get(id)).filter((root) => root !== undefined);
  return (
    <ol class="outline" aria-label="Agents and their calls">
      {roots.map((root) => (
        <AgentLine key={root.threadId} agents={agents} agent={root} spans={spans} />
      ))}
    </ol>
  );
}
