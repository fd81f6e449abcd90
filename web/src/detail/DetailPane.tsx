import { compact, cost, count, duration, fullTime, instant, tokens, UNKNOWN } from "../lib/format";
import { useKeys } from "../lib/keys";
import { visible } from "../lib/visible";
import { CopyButton, Id } from "../shell/Copy";
import { CloseIcon } from "../shell/icons";
import { StatusBadge } from "../shell/marks";
import { ProblemNotice } from "../shell/Notice";
import { RIGHT, Splitter } from "../shell/Splitter";
import { call, now } from "../state/app";
import { closeDetail, go, place, TABS, type Tab } from "../state/route";
import type { CallDetail, CallerView, CallRow } from "../types.gen";
import { Answer } from "./Answer";
import { Corrections } from "./Corrections";
import { Diff } from "./Diff";
import { Fact } from "./Fact";
import { Raw } from "./Raw";
import { Request } from "./Request";

const TAB_WORDS: Record<Tab, string> = { answer: "Answer", request: "Request", diff: "Diff", raw: "Raw" };
const FLAG_WORDS: Record<string, string> = {
  truncated: "The record was capped: the bytes beyond the cap were relayed, not kept.",
  redacted: "A secret inside a body was replaced in this record; the bytes relayed were exact.",
  gap: "Some frames of this call could not be kept.",
};

export function callDuration(row: CallRow, nowMs: number): number | null {
  return row.status === "running" ? Math.max(0, nowMs - instant(row.created_at)) : row.duration_ms;
}

function inputTitle(row: CallRow): string {
  const said = [`${row.tokens_input === null ? "unknown" : count(row.tokens_input)} tokens in, cache included`];
  if (row.tokens_cache_read !== null) said.push(`${count(row.tokens_cache_read)} read from the prompt cache`);
  if (row.tokens_cache_write !== null) said.push(`${count(row.tokens_cache_write)} written to the prompt cache`);
  return said.join("\n");
}

function speed(row: CallRow): string {
  if (row.tokens_output === null || row.duration_ms === null || row.ttft_ms === null || row.duration_ms - row.ttft_ms < 1) return UNKNOWN;
  return `${compact(Math.round((row.tokens_output * 1000) / (row.duration_ms - row.ttft_ms)))} tok/s`;
}

function Facts({ detail }: { detail: CallDetail }) {
  const row = detail.call;
  const price = detail.cost;
  const priceTitle = [price.why, price.model && `priced as ${price.model}`, price.tier && `tier ${price.tier}`, price.catalogue]
    .filter(Boolean)
    .join("\n");
  return (
    <dl class="facts">
      <Fact label="Duration">{duration(callDuration(row, now.value))}</Fact>
      <Fact label="First token" title="From the request's first byte to the answer's first token">
        {duration(row.ttft_ms)}
      </Fact>
      <Fact label="HTTP status">{row.http_status ?? UNKNOWN}</Fact>
      <Fact label="Cost" title={priceTitle || undefined}>
        {row.status === "running" && row.cost_usd === null ? UNKNOWN : cost(row.cost_usd)}
      </Fact>
      <Fact label="Input" title={inputTitle(row)}>
        {tokens(row.tokens_input)}
      </Fact>
      <Fact label="Cached" title="Of the input, read from the prompt cache">
        {tokens(row.tokens_cache_read)}
      </Fact>
      <Fact
        label="Output"
        note={row.status === "running" || (row.error !== null && row.tokens_output === null) ? "reported" : row.usage_source}
        title={row.tokens_reasoning ? `of which ${count(row.tokens_reasoning)} tokens reasoning` : undefined}
      >
        {tokens(row.tokens_output)}
      </Fact>
      <Fact label="Speed" title="Output tokens per second, from the first token on">
        {speed(row)}
      </Fact>
    </dl>
  );
}

/** The program that made the call, in one line; all that is known of it on hover. */
function CallerLine({ caller }: { caller: CallerView }) {
  const command = caller.command || caller.executable;
  const since = caller.started_at === null ? "" : `, running since ${fullTime(caller.started_at)}`;
  const title = [`process ${caller.pid}${since}`, command, caller.directory && `in ${caller.directory}`].filter(Boolean).join("\n");
  return (
    <p class="detail-sub detail-caller" title={visible(title)}>
      <span>
        process <code>{caller.pid}</code>
      </span>
      <code class="ellipsis said">{visible(command)}</code>
      {command !== "" && <CopyButton text={command} label="Copy the command" />}
    </p>
  );
}

function Heading({ detail }: { detail: CallDetail }) {
  const row = detail.call;
  return (
    <div class="detail-head">
      <div class="detail-title">
        <StatusBadge status={row.status} />
        <h2 class="ellipsis said" title={row.model ?? undefined}>
          {visible(row.model ?? `${row.method} ${row.path}`)}
        </h2>
        <button type="button" class="icon-button" aria-label="Close the detail" title="Close (Esc)" onClick={closeDetail}>
          <CloseIcon />
        </button>
      </div>
      <p class="detail-sub">
        {row.agent_name && <b class="said">{visible(row.agent_name)}</b>}
        <span class="said">{visible(row.provider)}</span>
        <span>{row.kind === "turn" ? row.operation : row.kind}</span>
        {row.stream && <span>streamed</span>}
      </p>
      <p class="detail-sub">
        <time dateTime={row.created_at}>{fullTime(row.created_at)}</time>
        <Id id={row.call_id} label="call id" />
      </p>
      {detail.caller !== null && <CallerLine caller={detail.caller} />}
      <Corrections row={row} key={row.call_id} />
      <Facts detail={detail} />
      {row.error !== null && (
        <div class={`callout${row.status === "cancelled" ? "" : " callout-bad"}`} role="alert">
          <b>
            {detail.error_whose ? `${detail.error_whose}: ` : ""}
            {detail.error_kind ?? "error"}
          </b>{" "}
          <span class="said">{visible(row.error)}</span>
        </div>
      )}
      {row.flags.map((flag) => (
        <p key={flag} class="callout">
          <b class="said">{visible(flag)}</b> {FLAG_WORDS[flag] ?? ""}
        </p>
      ))}
      {detail.unreadable_reason !== null && (
        <p class="callout">
          <b>{detail.unreadable_where} not understood</b> <span class="said">{visible(detail.unreadable_reason)}</span> The bytes are under
          Raw.
        </p>
      )}
    </div>
  );
}

function shownTab(): Tab {
  return place.value.tab ?? "answer";
}

function Tabs({ detail }: { detail: CallDetail }) {
  const shown = shownTab();
  return (
    <div class="tabs" role="tablist" aria-label="Parts of the call">
      {TABS.map((tab) => (
        <button
          key={tab}
          id={`tab-${tab}`}
          type="button"
          role="tab"
          aria-selected={tab === shown}
          aria-controls="tab-panel"
          onClick={() => go({ tab, call: detail.call.call_id }, "replace")}
        >
          {TAB_WORDS[tab]}
        </button>
      ))}
    </div>
  );
}

function Shown({ detail }: { detail: CallDetail }) {
  switch (shownTab()) {
    case "answer":
      return <Answer detail={detail} />;
    case "request":
      return <Request detail={detail} />;
    case "diff":
      return <Diff detail={detail} key={detail.call.call_id} />;
    case "raw":
      return <Raw row={detail.call} key={detail.call.call_id} />;
  }
}

function stepTab(by: number): void {
  const at = TABS.indexOf(place.peek().tab ?? "answer");
  const next = TABS[(at + by + TABS.length) % TABS.length];
  if (next) go({ tab: next }, "replace");
}

export function CallPane() {
  useKeys(
    () => [
      { key: "[", label: "[", group: "Call", says: "previous tab of the detail", run: () => stepTab(-1) },
      { key: "]", label: "]", group: "Call", says: "next tab of the detail", run: () => stepTab(1) },
    ],
    [],
  );
  const detail = call.detail.value;
  const problem = call.problem.value;
  return (
    <section class="pane detail" aria-label="Call">
      <Splitter side={RIGHT} />
      {problem && !detail && <ProblemNotice problem={problem} retry={() => void call.reload()} />}
      {!detail && !problem && (
        <p class="notice dim" role="status">
          Loading the call …
        </p>
      )}
      {detail && (
        <>
          <Heading detail={detail} />
          <Tabs detail={detail} />
          <div class="tab-panel" id="tab-panel" role="tabpanel" aria-labelledby={`tab-${shownTab()}`} tabIndex={0}>
            <Shown detail={detail} />
          </div>
        </>
      )}
    </section>
  );
}
