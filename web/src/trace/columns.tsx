// The columns of the table of calls: what each shows, how it sorts, how wide it is.
import type { ComponentChildren } from "preact";
import { clock, cost, count, duration, instant, oneLine } from "../lib/format";
import { visible } from "../lib/visible";
import { StatusMark, UsageNote } from "../shell/marks";
import type { Growth } from "../state/trace";
import type { CallRow } from "../types.gen";
import { fateOf, fateWords, type SpansByCall, toolGroups } from "./tools";

export interface Context {
  readonly startMs: number;
  readonly nowMs: number;
  readonly agentName: (threadId: string) => string;
  readonly growth: (callId: string) => Growth | undefined;
  readonly spans: SpansByCall;
}

export interface Column {
  readonly id: string;
  readonly label: string;
  readonly title: string;
  readonly isNumber?: boolean;
  readonly sort: (row: CallRow, context: Context) => number | string;
  readonly cell: (row: CallRow, context: Context) => ComponentChildren;
}

function sinceStart(ms: number): string {
  return ms < 1 ? "+0 ms" : `+${duration(ms)}`;
}

const UNSORTABLE = Number.NEGATIVE_INFINITY;

export function durationOf(row: CallRow, nowMs: number): number | null {
  return row.status === "running" ? Math.max(0, nowMs - instant(row.created_at)) : row.duration_ms;
}

const number = (value: number | null) => (value === null ? <span class="dim">–</span> : count(value));

export const COLUMNS: readonly Column[] = [
  {
    id: "start",
    label: "Start",
    title: "Since the trace began",
    isNumber: true,
    sort: (row) => instant(row.created_at),
    cell: (row, { startMs }) => <span title={clock(row.created_at)}>{sinceStart(instant(row.created_at) - startMs)}</span>,
  },
  {
    id: "agent",
    label: "Agent",
    title: "Who asked",
    sort: (row, { agentName }) => agentName(row.thread_id),
    cell: (row, { agentName }) => <span class="said">{visible(agentName(row.thread_id))}</span>,
  },
  {
    id: "model",
    label: "Model",
    title: "As the request named it",
    sort: (row) => row.model ?? row.path,
    cell: (row) => <span class="said">{visible(row.model ?? `${row.method} ${row.path}`)}</span>,
  },
  {
    id: "kind",
    label: "Kind",
    title: "What the call was for",
    sort: (row) => row.kind,
    cell: (row) => (row.kind === "turn" ? row.operation : row.kind),
  },
  {
    id: "duration",
    label: "Duration",
    title: "From the request to the end of the answer",
    isNumber: true,
    sort: (row, { nowMs }) => durationOf(row, nowMs) ?? UNSORTABLE,
    cell: (row, { nowMs }) => duration(durationOf(row, nowMs)),
  },
  {
    id: "ttft",
    label: "First token",
    title: "Time to the first token",
    isNumber: true,
    sort: (row) => row.ttft_ms ?? UNSORTABLE,
    cell: (row) => (row.ttft_ms === null ? <span class="dim">–</span> : duration(row.ttft_ms)),
  },
  {
    id: "input",
    label: "In, tok",
    title: "Input tokens, cache included",
    isNumber: true,
    sort: (row) => row.tokens_input ?? UNSORTABLE,
    cell: (row) => number(row.tokens_input),
  },
  {
    id: "cached",
    label: "Cached, tok",
    title: "Input tokens read from the prompt cache",
    isNumber: true,
    sort: (row) => row.tokens_cache_read ?? UNSORTABLE,
    cell: (row) => number(row.tokens_cache_read),
  },
  {
    id: "output",
    label: "Out, tok",
    title: "Output tokens",
    isNumber: true,
    sort: (row) => row.tokens_output ?? UNSORTABLE,
    cell: (row) => (
      <>
        {number(row.tokens_output)}
        {row.status !== "running" && row.tokens_output !== null && <UsageNote source={row.usage_source} />}
      </>
    ),
  },
  {
    id: "cost",
    label: "Cost",
    title: "USD",
    isNumber: true,
    sort: (row) => row.cost_usd ?? UNSORTABLE,
    cell: (row) =>
      row.status === "running" ? (
        <span class="dim">–</span>
      ) : row.cost_usd === null ? (
        <span class="dim">unpriced</span>
      ) : (
        cost(row.cost_usd)
      ),
  },
  {
    id: "answer",
    label: "Answer",
    title: "Tools asked for, or the beginning of the answer",
    sort: (row) => row.answer_preview,
    cell: (row, { growth, spans }) => <AnswerCell row={row} growth={growth(row.call_id)} spans={spans} />,
  },
  {
    id: "prompt",
    label: "Prompt",
    title: "Beginning of the last user text",
    sort: (row) => row.prompt_preview,
    cell: (row) => <span class="said dim">{oneLine(visible(row.prompt_preview))}</span>,
  },
];

export const USUAL_COLUMNS = ["start", "agent", "model", "duration", "ttft", "input", "output", "cost", "answer"];

function AnswerCell({ row, growth, spans }: { row: CallRow; growth: Growth | undefined; spans: SpansByCall }) {
  const groups = toolGroups(row, spans);
  if (row.error !== null) {
    return (
      <span class={`${row.status === "cancelled" ? "dim" : "bad"} said`}>
        {row.http_status !== null && row.http_status >= 400 ? `${row.http_status} ` : ""}
        {oneLine(visible(row.error))}
      </span>
    );
  }
  if (row.status === "running") {
    return growth ? <span class="running-text said">{oneLine(visible(growth.tail))}</span> : <span class="dim">waiting …</span>;
  }
  return (
    <span class="said">
      {groups.length > 0 && (
        <span class="tool-names">
          {groups.map(({ name, times, spans: runs }) => (
            <i key={name} class={`tool-chip${fateOf(runs).failed > 0 ? " is-failed" : ""}`} title={fateWords(runs) || undefined}>
              {fateOf(runs).failed > 0 && "✕ "}
              {visible(name)}
              {times > 1 && ` ×${times}`}
            </i>
          ))}
        </span>
      )}
      {oneLine(visible(row.answer_preview))}
    </span>
  );
}

export function MarkCell({ row }: { row: CallRow }) {
  return <StatusMark status={row.status} />;
}
