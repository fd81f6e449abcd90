import { age, compact, costSum, count, duration, fullTime, instant, plural, usd } from "../lib/format";
import { hasTitle, traceTitle } from "../lib/title";
import { visible } from "../lib/visible";
import { StatusMark } from "../shell/marks";
import { now } from "../state/app";
import { type Find, nearHit } from "../state/finds";
import type { TraceRow } from "../types.gen";

export function traceDuration(row: TraceRow, nowMs: number): number | null {
  const end = row.status === "running" ? nowMs : instant(row.ended_at ?? row.last_activity_at);
  return Math.max(0, end - instant(row.created_at));
}

/** Money in the narrow column of the list: the exceptions are a word or a plus sign, spelt out in the title. */
function Money({ row }: { row: TraceRow }) {
  const full = costSum(row.cost_usd, row.unpriced_count);
  const brief = full === "unpriced" || row.unpriced_count === 0 ? full : `${usd(row.cost_usd ?? 0)}+`;
  return (
    <span class={brief === "unpriced" ? "dim" : ""} title={full}>
      {brief}
    </span>
  );
}

/** The line in which the words that are looked for stand, the words marked. */
function FoundLine({ find }: { find: Find }) {
  const more = find.calls > 1 ? ` · ${plural(find.calls, "call")}` : "";
  return (
    <span class="trace-found ellipsis said" title={`In ${article(find.snippet.where)} ${find.snippet.where}${more}`}>
      <span class="found-where">{find.snippet.where}</span>
      {nearHit(find.snippet).map(([text, isHit], index) => (isHit ? <mark key={index}>{visible(text)}</mark> : visible(text)))}
    </span>
  );
}

function article(word: string): string {
  return word === "answer" ? "an" : "a";
}

interface Props {
  readonly row: TraceRow;
  readonly find: Find | undefined;
  readonly index: number;
  readonly isOpen: boolean;
  readonly isActive: boolean;
  readonly onOpen: () => void;
}

export function TraceItem({ row, find, index, isOpen, isActive, onOpen }: Props) {
  const total = (row.tokens_input ?? 0) + (row.tokens_output ?? 0);
  const isKnown = row.tokens_input !== null || row.tokens_output !== null;
  return (
    <div
      id={`trace-${index}`}
      class={`trace-item${isOpen ? " open" : ""}${isActive ? " active" : ""}`}
      role="option"
      aria-selected={isOpen}
      aria-posinset={index + 1}
      data-trace={row.trace_id}
      onClick={onOpen}
    >
      <StatusMark status={row.status} />
      <span class={`trace-title said ellipsis${hasTitle(row) ? "" : " dim"}`}>{traceTitle(row)}</span>
      <time class="trace-age" dateTime={row.created_at} title={fullTime(row.created_at)}>
        {age(row.created_at, now.value)}
      </time>
      <span class="trace-counts ellipsis">
        {plural(row.call_count, "call")}
        {row.error_count > 0 && (
          <b class="bad">
            {" · "}
            {plural(row.error_count, "error")}
          </b>
        )}
        {row.agent_count > 1 && row.error_count === 0 && ` · ${plural(row.agent_count, "agent")}`}
      </span>
      <span class="num">{duration(traceDuration(row, now.value))}</span>
      <span
        class="num tokens"
        title={isKnown ? `${count(row.tokens_input ?? 0)} tokens in, ${count(row.tokens_output ?? 0)} out` : "no token count"}
      >
        {isKnown ? `${compact(total)} tok` : "–"}
      </span>
      <span class="num">
        <Money row={row} />
      </span>
      {find && <FoundLine find={find} />}
    </div>
  );
}
