import { costSum, duration, fullTime, plural, tokens } from "../lib/format";
import { useKeys } from "../lib/keys";
import { visible } from "../lib/visible";
import { traceTitle } from "../lib/title";
import { traceDuration } from "../list/TraceItem";
import { Id } from "../shell/Copy";
import { StatusBadge } from "../shell/marks";
import { Notice, ProblemNotice } from "../shell/Notice";
import { now, trace } from "../state/app";
import { closeDetail, go, openTrace, place, VIEWS, type View } from "../state/route";
import type { TraceRow } from "../types.gen";
import { CallTable } from "./CallTable";
import { Conversation } from "./Conversation";
import { ExportMenu } from "./ExportMenu";
import { LazyGraph, LazyTimeline } from "./lazy";

const VIEW_WORDS: Record<View, string> = { graph: "Graph", timeline: "Timeline", conversation: "Conversation", table: "Table" };

function Header({ row }: { row: TraceRow }) {
  const hasTokens = row.tokens_input !== null || row.tokens_output !== null;
  return (
    <header class="trace-head">
      <div class="trace-head-title">
        <StatusBadge status={row.status} />
        <h1 class="said ellipsis" title={visible(row.task_description ?? "")}>
          {traceTitle(row)}
        </h1>
        <ExportMenu traceId={row.trace_id} />
      </div>
      <p class="trace-facts">
        <span>{plural(row.agent_count, "agent")}</span>
        <span>{plural(row.call_count, "call")}</span>
        {row.running_count > 0 && <span class="running-text">{row.running_count} running</span>}
        <span title="From the first call to the last activity">{duration(traceDuration(row, now.value))}</span>
        {hasTokens && (
          <span>
            {tokens(row.tokens_input)} in · {tokens(row.tokens_output)} out
          </span>
        )}
        <span>{costSum(row.cost_usd, row.unpriced_count)}</span>
        {row.error_count > 0 && <span class="bad">{plural(row.error_count, "error")}</span>}
      </p>
      <p class="trace-facts dim">
        <time dateTime={row.created_at}>{fullTime(row.created_at)}</time>
        <Id id={row.trace_id} label="trace id" />
        <span class="said ellipsis" title="How the trace was recognised">
          recognised by {visible(row.source)}
        </span>
      </p>
    </header>
  );
}

function Views() {
  const shown = place.value.view;
  return (
    <div class="tabs views" role="tablist" aria-label="Views of the trace">
      {VIEWS.map((view, index) => (
        <button
          key={view}
          type="button"
          role="tab"
          aria-selected={view === shown}
          title={`${VIEW_WORDS[view]} (${index + 1})`}
          onClick={() => go({ view })}
        >
          {VIEW_WORDS[view]}
        </button>
      ))}
    </div>
  );
}

function Shown() {
  switch (place.value.view) {
    case "graph":
      return <LazyGraph />;
    case "timeline":
      return <LazyTimeline />;
    case "conversation":
      return <Conversation />;
    case "table":
      return <CallTable />;
  }
}

export function TracePane() {
  trace.version.value;
  useKeys(
    () => [
      ...VIEWS.map((view, index) => ({
        key: String(index + 1),
        label: String(index + 1),
        group: "Trace",
        says: VIEW_WORDS[view],
        run: () => go({ view }),
      })),
      { key: "Escape", label: "Esc", group: "Everywhere", says: "close the detail", run: closeDetail },
    ],
    [],
  );
  const problem = trace.problem.value;
  if (problem && trace.calls.length === 0) {
    return <ProblemNotice problem={problem} retry={() => trace.traceId !== null && void trace.load(trace.traceId)} />;
  }
  if (trace.isRemoved) return <Gone />;
  if (!trace.row) {
    return (
      <p class="notice dim" role="status">
        Loading the trace …
      </p>
    );
  }
  return (
    <>
      <Header row={trace.row} />
      <Views />
      <div class="view" data-view={place.value.view}>
        <Shown />
      </div>
    </>
  );
}

function Gone() {
  const heir = trace.mergedInto;
  return (
    <Notice title={heir === null ? "This trace is gone." : "This trace became part of another."}>
      {heir === null ? (
        <p>It was older than what is kept, and was removed.</p>
      ) : (
        <button type="button" class="button" onClick={() => openTrace(heir)}>
          Open the other trace
        </button>
      )}
    </Notice>
  );
}
