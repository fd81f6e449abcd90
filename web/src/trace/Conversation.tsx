// A thread as a chat, turn by turn: what this turn added stands open, what it merely repeats is folded away.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Answer } from "../detail/Answer";
import { Message, NEW_MARK } from "../detail/Message";
import { toolNames } from "../detail/Parts";
import { clock, cost, duration, plural, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import { StatusMark } from "../shell/marks";
import { ProblemNotice } from "../shell/Notice";
import { call, now, shownCall, trace } from "../state/app";
import { go, place, type Tab } from "../state/route";
import { turnsOf } from "../state/turns";
import type { CallDetail, CallRow } from "../types.gen";
import { type Agent, readAgents } from "./agents";
import { durationOf } from "./columns";
import { setShownOrder } from "./step";

function AgentPicker({ agents, threadId }: { agents: readonly Agent[]; threadId: string }) {
  if (agents.length < 2) return null;
  return (
    <label class="picker">
      <span class="dim">Agent</span>
      <select
        value={threadId}
        onChange={(event) => {
          const agent = agents.find((each) => each.threadId === event.currentTarget.value);
          const last = agent?.calls.at(-1);
          if (last) go({ call: last.call_id, agent: null });
        }}
      >
        {agents.map((agent) => (
          <option key={agent.threadId} value={agent.threadId}>
            {`${"\u2003".repeat(agent.depth)}${visible(agent.name)} · ${plural(agent.calls.length, "call")}`}
          </option>
        ))}
      </select>
    </label>
  );
}

function Turns({ turns, selected }: { turns: readonly CallRow[]; selected: string }) {
  const strip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = strip.current;
    if (!element) return;
    const reveal = () => element.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
    const watch = new ResizeObserver(reveal);
    watch.observe(element);
    return () => watch.disconnect();
  }, [selected]);
  return (
    <div class="turns" ref={strip}>
      {turns.map((turn, index) => (
        <button
          key={turn.call_id}
          type="button"
          class="turn"
          aria-current={turn.call_id === selected ? "true" : undefined}
          title={`Turn ${index + 1}, ${clock(turn.created_at)}${turn.error === null ? "" : `: ${turn.error}`}`}
          onClick={() => go({ call: turn.call_id, agent: null })}
        >
          <StatusMark status={turn.status} />
          {index + 1}
        </button>
      ))}
    </div>
  );
}

const MORE: readonly (readonly [Tab, string])[] = [
  ["request", "Request"],
  ["diff", "Diff"],
  ["raw", "Raw"],
];

function TurnFacts({ row }: { row: CallRow }) {
  return (
    <p class="turn-facts">
      <StatusMark status={row.status} />
      <b class="said">{visible(row.model ?? row.path)}</b>
      <span>{duration(durationOf(row, now.value))}</span>
      <span>
        {tokens(row.tokens_input)} in · {tokens(row.tokens_output)} out
      </span>
      <span>{row.status === "running" ? "" : cost(row.cost_usd)}</span>
      <span class="spring" />
      {MORE.map(([tab, word]) => (
        <button key={tab} type="button" class="link" aria-pressed={place.value.tab === tab} onClick={() => go({ tab, call: row.call_id })}>
          {word}
        </button>
      ))}
    </p>
  );
}

/** Where the turn's own part begins: the answer before, which the client sends back, and what is new. */
export function ownFrom(detail: CallDetail): number {
  let from = detail.new_from;
  while (from > 0 && ANSWERING.has(detail.messages[from - 1]?.role ?? "")) from -= 1;
  return from;
}

const ANSWERING = new Set(["assistant", "model"]);

function Body({ detail }: { detail: CallDetail }) {
  const names = useMemo(() => toolNames(detail.messages), [detail.messages]);
  const repeated = ownFrom(detail);
  const history = detail.messages.slice(0, repeated);
  const fresh = detail.messages.slice(repeated);
  const mark = (at: number) => (detail.new_from === 0 ? undefined : at < detail.new_from ? "the answer before, sent back" : NEW_MARK);
  return (
    <>
      {detail.system.length > 0 && (
        <details class="diff-same">
          <summary>System prompt · {plural(detail.system.length, "block")}</summary>
          {detail.system.map((message, index) => (
            <Message key={index} message={message} names={names} />
          ))}
        </details>
      )}
      {history.length > 0 && (
        <details class="diff-same">
          <summary>{plural(history.length, "message")} repeated from the turn before</summary>
          {history.map((message, index) => (
            <Message key={index} message={message} names={names} number={index + 1} folded />
          ))}
        </details>
      )}
      {fresh.map((message, index) => (
        <Message
          key={repeated + index}
          message={message}
          names={names}
          number={repeated + index + 1}
          folded
          mark={mark(repeated + index)}
        />
      ))}
      <article class="message role-assistant is-answer">
        <header>
          <b>answer</b>
        </header>
        <TurnFacts row={detail.call} />
        {detail.call.error !== null && (
          <p class={`callout said${detail.call.status === "cancelled" ? "" : " callout-bad"}`}>{visible(detail.call.error)}</p>
        )}
        <Answer detail={detail} />
      </article>
    </>
  );
}

export function Conversation() {
  trace.version.value;
  const { calls, edges } = trace;
  const agents = useMemo(() => readAgents(calls, edges), [calls, edges]);
  const turn = trace.call(shownCall());
  const turns = useMemo(() => (turn ? turnsOf(turn.thread_id, calls) : []), [turn?.thread_id, calls]);
  const open = call.detail.value;
  const detail = open && open.call.call_id === turn?.call_id ? open : null;

  useEffect(() => {
    setShownOrder(turns.map((each) => each.call_id));
    return () => setShownOrder(null);
  }, [turns]);

  if (!turn) return <p class="notice dim">No calls yet.</p>;
  const problem = call.problem.value;
  return (
    <div class="conversation">
      <div class="conversation-bar">
        <AgentPicker agents={agents.order} threadId={turn.thread_id} />
        <Turns turns={turns} selected={turn.call_id} />
      </div>
      <div class="chat tab-panel" key={turn.call_id} tabIndex={0} aria-label="Conversation" role="region">
        {problem && !detail && <ProblemNotice problem={problem} retry={() => void call.reload()} />}
        {!detail && !problem && <p class="dim empty-line">Loading the turn …</p>}
        {detail && <Body detail={detail} />}
      </div>
    </div>
  );
}
