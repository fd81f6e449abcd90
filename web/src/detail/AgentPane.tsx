// What one agent did: what it cost, what it handed back, why we believe that it was opened by whom.
import { useMemo } from "preact/hooks";
import { clock, costSum, duration, oneLine, plural, tokens, UNKNOWN } from "../lib/format";
import { visible } from "../lib/visible";
import { CloseIcon } from "../shell/icons";
import { StatusBadge, StatusMark } from "../shell/marks";
import { RIGHT, Splitter } from "../shell/Splitter";
import { now, trace } from "../state/app";
import { closeDetail, go, place } from "../state/route";
import { useToolSpans } from "../state/tools";
import { type Agent, readAgents, totals, withDescendants } from "../trace/agents";
import { durationOf } from "../trace/columns";
import { toolTotals } from "../trace/tools";
import type { CallRow } from "../types.gen";
import { Corrections } from "./Corrections";
import { Fact } from "./Fact";
import { Prose } from "./Prose";

/** Rows listed before the reader is sent to the table. */
const LISTED = 100;

function CallLink({ row }: { row: CallRow }) {
  return (
    <button type="button" class="call-link" onClick={() => go({ call: row.call_id, agent: null })}>
      <StatusMark status={row.status} />
      <span class="num">{clock(row.created_at)}</span>
      <span class="ellipsis said">
        {oneLine(visible(row.error ?? (row.tool_names.join(", ") || row.answer_preview || row.model || row.path)))}
      </span>
      <span class="num">{duration(durationOf(row, now.value))}</span>
      <span class="num">{tokens(row.tokens_output)}</span>
    </button>
  );
}

function Opened({ agent, parent }: { agent: Agent; parent: Agent | undefined }) {
  if (!agent.opened || !parent) return <p class="dim">It began the trace: nobody in it opened this agent.</p>;
  return (
    <p class="said">
      Opened by{" "}
      <button type="button" class="link" onClick={() => go({ call: agent.opened?.from_call_id ?? null, agent: null })}>
        {visible(parent.name)}
      </button>
      , by the evidence <code>{visible(agent.opened.evidence)}</code>, confidence {Math.round(agent.opened.confidence * 100)} %.
    </p>
  );
}

export function AgentPane() {
  trace.version.value;
  const { calls, edges } = trace;
  const agents = useMemo(() => readAgents(calls, edges), [calls, edges]);
  const agent = agents.byThread.get(place.value.agent ?? "");
  const whole = useMemo(() => (agent ? totals(withDescendants(agents, agent.threadId)) : null), [agents, agent]);
  const spans = useToolSpans();
  const tools = useMemo(() => (agent ? toolTotals(agent.calls, spans) : []), [agent, spans]);
  if (!agent || !whole) {
    return (
      <section class="pane detail" aria-label="Agent">
        <p class="notice dim">{trace.row ? "This agent is not part of the trace." : "Loading …"}</p>
      </section>
    );
  }
  const own = totals([agent]);
  const last = agent.calls.at(-1);
  const hasOthers = whole.calls > own.calls;
  return (
    <section class="pane detail" aria-label="Agent">
      <Splitter side={RIGHT} />
      <div class="detail-head">
        <div class="detail-title">
          <StatusBadge status={agent.status} />
          <h2 class="ellipsis said">{visible(agent.name)}</h2>
          <button type="button" class="icon-button" aria-label="Close the detail" title="Close (Esc)" onClick={closeDetail}>
            <CloseIcon />
          </button>
        </div>
        <dl class="facts">
          <Fact label="Calls">{plural(own.calls, "call")}</Fact>
          <Fact label="Wall time">{duration((agent.endedMs ?? now.value) - agent.startedMs)}</Fact>
          <Fact label="Input">{tokens(agent.tokensInput)}</Fact>
          <Fact label="Output">{tokens(agent.tokensOutput)}</Fact>
          <Fact label="Cost" isWide>
            {costSum(own.usd, own.unpriced)}
          </Fact>
          {hasOthers && (
            <Fact label="Cost with its sub-agents" isWide>
              {costSum(whole.usd, whole.unpriced)}
            </Fact>
          )}
        </dl>
      </div>
      <div class="tab-panel agent-panel" tabIndex={0}>
        <Opened agent={agent} parent={agent.parent === null ? undefined : agents.byThread.get(agent.parent)} />
        {agent.calls[0] && <Corrections row={agent.calls[0]} key={agent.threadId} />}
        {agent.parent !== null && last && last.status === "completed" && (
          <p>
            <b>
              {tokens(whole.tokens)} and {costSum(whole.usd, whole.unpriced)} to hand back {tokens(last.tokens_output)}.
            </b>
          </p>
        )}
        {last?.answer_preview && (
          <section class="block">
            <h3>Last answer</h3>
            <Prose text={last.answer_preview} />
          </section>
        )}
        {tools.length > 0 && (
          <section class="block">
            <h3>Tools</h3>
            <table class="tool-totals">
              <tbody>
                {tools.slice(0, LISTED).map((tool) => (
                  <tr key={tool.name}>
                    <th scope="row" class="said">
                      {visible(tool.name)}
                    </th>
                    <td>{plural(tool.runs, "run")}</td>
                    <td title="From each answer to the request that brought the result, together">
                      {tool.runs > tool.unseen ? duration(tool.ms) : UNKNOWN}
                    </td>
                    <td>
                      {tool.failed > 0 && <span class="bad">{tool.failed} failed </span>}
                      {tool.unseen > 0 && <span class="dim">{tool.unseen} without a result</span>}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
        <section class="block">
          <h3>Calls</h3>
          {agent.calls.slice(0, LISTED).map((row) => (
            <CallLink key={row.call_id} row={row} />
          ))}
          {agent.calls.length > LISTED && <p class="dim">and {plural(agent.calls.length - LISTED, "more call")}: see the table</p>}
        </section>
      </div>
    </section>
  );
}
