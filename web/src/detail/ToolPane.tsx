// One run of a tool: what was asked, what came back, how long it took, which agent it opened.
import { useEffect, useMemo } from "preact/hooks";
import { clock, cut, duration, oneLine, plural, shortId } from "../lib/format";
import { useKeys } from "../lib/keys";
import { visible } from "../lib/visible";
import { CopyButton, Id } from "../shell/Copy";
import { CloseIcon } from "../shell/icons";
import { ProblemNotice } from "../shell/Notice";
import { RIGHT, Splitter } from "../shell/Splitter";
import { now, trace } from "../state/app";
import { closeDetail, go, place } from "../state/route";
import { OpenRuns, stateOf, useToolSpans } from "../state/tools";
import { type Agents, readAgents } from "../trace/agents";
import { fateWords } from "../trace/tools";
import type { ToolRun, ToolSpan } from "../types.gen";
import { Fact } from "./Fact";
import { Json } from "./Json";
import { Part, ResultText } from "./Parts";
import { ToolMark } from "./ToolMark";

const STATE_WORDS: Readonly<Record<string, string>> = {
  returned: "returned",
  failed: "failed",
  running: "running",
  unseen: "none seen",
};
const PAIRED_WORDS: Readonly<Record<string, string>> = {
  id: "by the id of the tool use",
  name: "by the tool's name and the order: this format has no ids that hold",
  text: "by a user's text that names the tool",
};

function tookMs(span: ToolSpan, nowMs: number): number | null {
  return span.state === "running" ? Math.max(0, nowMs - Date.parse(span.started_at)) : span.duration_ms;
}

function CallLink({ callId }: { callId: string }) {
  return (
    <button type="button" class="link" title={callId} onClick={() => go({ call: callId, agent: null })}>
      call {shortId(callId)}
    </button>
  );
}

/** What the same answer asked for besides. */
function Siblings({ runs, shown, agents }: { runs: readonly ToolRun[]; shown: number; agents: Agents }) {
  if (runs.length < 2) return null;
  return (
    <nav class="tool-siblings" aria-label="Tools of the same answer">
      {runs.map(({ span }) => (
        <button
          key={span.number}
          type="button"
          class="tool-sibling"
          aria-current={span.number === shown ? "true" : undefined}
          title={`${visible(span.name)}: ${fateWords([span])}`}
          onClick={() => go({ call: span.call_id, agent: null, tool: span.number }, "replace")}
        >
          <ToolMark state={span.state} />
          <span class="said">{cut(oneLine(visible(span.name)), 24)}</span>
          {span.opened.map((threadId) => (
            <span key={threadId} class="dim said">
              → {cut(oneLine(visible(agents.byThread.get(threadId)?.name ?? "an agent")), 20)}
            </span>
          ))}
        </button>
      ))}
    </nav>
  );
}

function Heading({ run, runs }: { run: ToolRun; runs: readonly ToolRun[] }) {
  const { span } = run;
  const agents = useMemo(() => readAgents(trace.calls, trace.edges), [trace.calls, trace.edges]);
  const agent = agents.byThread.get(span.thread_id);
  return (
    <div class="detail-head">
      <div class="detail-title">
        <ToolMark state={span.state} />
        <h2 class="ellipsis said" title={visible(span.name)}>
          {visible(span.name)}
        </h2>
        <button type="button" class="icon-button" aria-label="Close the detail" title="Close (Esc)" onClick={closeDetail}>
          <CloseIcon />
        </button>
      </div>
      <p class="detail-sub">
        {agent && <b class="said">{visible(agent.name)}</b>}
        <span>
          asked for by <CallLink callId={span.call_id} />
        </span>
        {span.result_call_id !== null && (
          <span title={`Found ${PAIRED_WORDS[span.paired_by] ?? ""}`}>
            result in <CallLink callId={span.result_call_id} />
          </span>
        )}
      </p>
      {span.tool_id !== null && (
        <p class="detail-sub">
          <Id id={span.tool_id} label="tool use id" />
        </p>
      )}
      {span.opened.map((threadId) => (
        <p key={threadId} class="detail-sub">
          <span>
            It opened{" "}
            <button type="button" class="link" onClick={() => go({ agent: threadId, call: null })}>
              <span class="said">{visible(agents.byThread.get(threadId)?.name ?? threadId)}</span>
            </button>
          </span>
        </p>
      ))}
      <dl class="facts">
        <Fact label="Result">{STATE_WORDS[span.state] ?? span.state}</Fact>
        <Fact label="Duration" title="From the end of the answer to the beginning of the request that brought the result">
          {duration(tookMs(span, now.value))}
        </Fact>
        <Fact label="Began" isWide title="When the answer that asked for it had ended">
          {clock(span.started_at)}
        </Fact>
      </dl>
      <Siblings runs={runs} shown={span.number} agents={agents} />
    </div>
  );
}

function Result({ run }: { run: ToolRun }) {
  const { span, result } = run;
  const [first, ...beside] = result;
  if (!first) {
    return (
      <p class="dim">
        {span.state === "running" ? "It has not come back yet." : "No request in this conversation brought a result of it."}
      </p>
    );
  }
  return (
    <>
      <div class={span.state === "failed" ? "tool-result is-error" : "tool-result"}>
        <ResultText text={first.text} />
      </div>
      {beside.map((part, index) => (
        <Part key={index} part={part} names={NO_NAMES} unfolded />
      ))}
    </>
  );
}

const NO_NAMES: ReadonlyMap<string, string> = new Map();

function Shown({ run, runs }: { run: ToolRun; runs: readonly ToolRun[] }) {
  const text = run.result[0]?.text ?? "";
  return (
    <>
      <Heading run={run} runs={runs} />
      <div class="tab-panel tool-panel" tabIndex={0} key={run.span.span_id}>
        <section class="block">
          <h3>
            Arguments
            {run.arguments && <CopyButton text={run.arguments} label="Copy the arguments" />}
          </h3>
          {run.arguments ? <Json text={run.arguments} unfolded /> : <p class="dim">no arguments</p>}
        </section>
        <section class="block">
          <h3>
            {run.span.state === "failed" ? <span class="bad">Result: an error</span> : "Result"}
            {text && <CopyButton text={text} label="Copy the result" />}
          </h3>
          <Result run={run} />
        </section>
      </div>
    </>
  );
}

export function ToolPane() {
  const { call: callId, tool } = place.value;
  const open = useMemo(() => new OpenRuns(), [callId]);
  const spans = useToolSpans().get(callId ?? "") ?? [];
  const state = stateOf(spans);
  useEffect(() => {
    if (callId !== null) void open.load(callId);
  }, [open, state]);
  const runs = open.items.value;
  const run = runs?.find((each) => each.span.number === tool);
  const step = (by: number) => {
    const next = runs?.[(runs.findIndex((each) => each.span.number === tool) + by + runs.length) % runs.length];
    if (next) go({ call: next.span.call_id, agent: null, tool: next.span.number }, "replace");
  };
  useKeys(
    () => [
      { key: "[", label: "[", group: "Tool", says: "previous tool of the same answer", run: () => step(-1) },
      { key: "]", label: "]", group: "Tool", says: "next tool of the same answer", run: () => step(1) },
    ],
    [runs, tool],
  );
  return (
    <section class="pane detail" aria-label="Tool">
      <Splitter side={RIGHT} />
      {run && runs ? (
        <Shown run={run} runs={runs} />
      ) : open.problem.value ? (
        <ProblemNotice problem={open.problem.value} retry={() => callId !== null && void open.load(callId)} />
      ) : (
        <p class="notice dim" role="status">
          {runs === null ? "Loading the tool …" : `That answer asked for ${plural(runs.length, "tool")}; this one is not among them.`}
        </p>
      )}
    </section>
  );
}
