// Written by tools/make_types.py from the shapes of the dashboard server. Do not edit: run `make docs`.

/** One trace, as a list shows it. Names follow the contract's `traces`. */
export interface TraceRow {
  readonly trace_id: string;
  readonly created_at: string;
  readonly name: string | null;
  readonly task_description: string | null;
  readonly status: string;
  readonly ended_at: string | null;
  readonly last_activity_at: string;
  readonly source: string;
  readonly call_count: number;
  readonly running_count: number;
  readonly agent_count: number;
  readonly error_count: number;
  readonly tokens_input: number | null;
  readonly tokens_output: number | null;
  readonly cost_usd: number | null;
  /** Calls whose price is not known: `cost_usd` leaves them out. */
  readonly unpriced_count: number;
}

/** A page of traces, newest first; `next_cursor` None at the end; `seq` as in `CallDetail`. */
export interface TracePage {
  readonly items: readonly TraceRow[];
  readonly next_cursor: string | null;
  readonly seq: number;
}

/** One call, as a list shows it. Names follow the contract's `llm_calls`; the long texts stay in `CallDetail`. */
export interface CallRow {
  readonly call_id: string;
  readonly trace_id: string;
  readonly thread_id: string;
  readonly parent_id: string | null;
  readonly created_at: string;
  readonly ended_at: string | null;
  readonly status: string;
  readonly kind: string;
  readonly provider: string;
  readonly format: string;
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly upstream: string;
  readonly model: string | null;
  readonly agent_name: string | null;
  readonly stream: boolean;
  readonly duration_ms: number | null;
  readonly ttft_ms: number | null;
  readonly tokens_input: number | null;
  readonly tokens_output: number | null;
  readonly tokens_cache_read: number | null;
  readonly tokens_cache_write: number | null;
  readonly tokens_reasoning: number | null;
  readonly usage_source: string;
  readonly cost_usd: number | null;
  readonly finish_reason: string | null;
  readonly http_status: number | null;
  readonly error: string | null;
  /** First 200 characters of the last user text. */
  readonly prompt_preview: string;
  /** First 200 characters of the answer. */
  readonly answer_preview: string;
  /** Names of the tools the answer uses. */
  readonly tool_names: readonly string[];
  readonly replay_of: string | null;
  readonly flags: readonly string[];
}

/** An edge, as the contract's `call_graph` shows it. */
export interface EdgeRow {
  readonly edge_id: string;
  readonly trace_id: string;
  readonly from_call_id: string;
  readonly to_call_id: string;
  readonly edge_type: string;
  readonly evidence: string;
  readonly confidence: number;
}

/** One trace with all its calls (oldest first) and edges. */
export interface TraceDetail {
  readonly trace: TraceRow;
  readonly calls: readonly CallRow[];
  readonly edges: readonly EdgeRow[];
  readonly seq: number;
}

/** One run of a tool. Times are ISO 8601 UTC; `span_id` is `<call_id>.<number>`, the number counts an answer's tool uses from 0. */
export interface ToolSpan {
  readonly span_id: string;
  /** Whose answer asked for it. */
  readonly call_id: string;
  readonly number: number;
  readonly thread_id: string;
  readonly name: string;
  readonly tool_id: string | null;
  /** `running`, `returned`, `failed` (its result says so), `unseen` (no result was seen). */
  readonly state: string;
  /** The end of the answer that asked for it. */
  readonly started_at: string;
  /** The beginning of the request that brought its result. */
  readonly ended_at: string | null;
  readonly duration_ms: number | null;
  readonly result_call_id: string | null;
  /** Which message of that request holds the result, from 0. */
  readonly result_message: number | null;
  readonly result_part: number | null;
  /** `id`, `name` (with the order in which results come), `text` (a user text names the tool); empty without a result. */
  readonly paired_by: string;
  /** Threads that it opened: it delegated. */
  readonly opened: readonly string[];
}

/** Of some calls. Unknown numbers are left out; None when none is known. Times are ISO 8601 UTC. */
export interface Sums {
  readonly calls: number;
  readonly errors: number;
  readonly tokens_input: number | null;
  readonly tokens_output: number | null;
  readonly cost_usd: number | null;
  readonly unpriced: number;
  readonly started_at: string;
  readonly ended_at: string;
}

/** All runs of one tool in a thread. `duration_ms`: of those whose result was seen, together; runs side by side count each. */
export interface ToolSums {
  readonly name: string;
  readonly runs: number;
  readonly failed: number;
  readonly unseen: number;
  readonly running: number;
  readonly duration_ms: number;
}

/** One agent's conversation and what its delegation came to. */
export interface AgentView {
  readonly thread_id: string;
  /** Thread of the agent that opened it; None where nobody did. */
  readonly parent: string | null;
  /** The call from which the edge that opened it leads. */
  readonly opened_by: string | null;
  readonly name: string;
  readonly task: string;
  readonly status: string;
  readonly own: Sums;
  /** With everything that it delegated further. */
  readonly whole: Sums;
  readonly evidence: string;
  readonly confidence: number;
  /** Tokens of its last answer, where that came back. */
  readonly handed_back: number | null;
  readonly tools: readonly ToolSums[];
}

/** A trace as a graph: one node per call (oldest first), one per run of a tool, and the edges between calls. */
export interface GraphView {
  readonly trace: TraceRow;
  readonly nodes: readonly CallRow[];
  readonly edges: readonly EdgeRow[];
  readonly tools: readonly ToolSpan[];
  /** Each before those it opened. */
  readonly agents: readonly AgentView[];
  /** Events up to here are contained in this answer. */
  readonly seq: number;
}

/** The tools that ran in a trace, in the order of the answers that asked for them. */
export interface ToolsView {
  readonly trace_id: string;
  readonly items: readonly ToolSpan[];
  /** Events up to here are contained in this answer. */
  readonly seq: number;
}

/** A part of a message for showing; `raw` is its JSON text. */
export interface PartView {
  readonly kind: string;
  readonly text: string;
  readonly tool_id: string | null;
  readonly name: string | null;
  readonly arguments: string | null;
  readonly is_error: boolean | null;
  readonly raw: string;
}

/** A run with what was asked and what came back. */
export interface ToolRun {
  readonly span: ToolSpan;
  /** JSON, as the model wrote it; some tools take plain text. */
  readonly arguments: string;
  /** The result, then the pictures and documents that came with it; nothing when none was seen. */
  readonly result: readonly PartView[];
}

/** The tools that one call's answer set off, each with its arguments and its result. */
export interface ToolRunsView {
  readonly call_id: string;
  readonly items: readonly ToolRun[];
  /** Events up to here are contained in this answer. */
  readonly seq: number;
}

/** Where a call holds the words that were looked for: a line of text in pieces, each with whether it is one of the words. */
export interface Snippet {
  /** `prompt` or `answer`. */
  readonly where: string;
  readonly pieces: readonly (readonly [string, boolean])[];
}

/**
 * A page of calls, newest first.
 *
 * A search looks at a bounded number of calls at a time: a page may then hold fewer items than asked for, even none, and
 * still have a `next_cursor`.
 */
export interface CallPage {
  readonly items: readonly CallRow[];
  readonly next_cursor: string | null;
  readonly seq: number;
  /** One for each item when words were looked for, otherwise none at all. */
  readonly snippets: readonly (Snippet | null)[];
}

/** A message for showing. `node` names its stored content: equal text, equal node. */
export interface MessageView {
  readonly role: string;
  readonly parts: readonly PartView[];
  readonly node: string;
}

/** Price with its provenance. */
export interface CostView {
  readonly usd: number | null;
  readonly model: string | null;
  readonly catalogue: string | null;
  readonly tier: string | null;
  readonly why: string;
}

/** The process of this machine that made a call's connection. Texts are empty where the system did not say. */
export interface CallerView {
  readonly pid: number;
  readonly started_at: string | null;
  readonly executable: string;
  /** Its command line, secrets replaced. */
  readonly command: string;
  /** Its working directory. */
  readonly directory: string;
}

/** Everything understood about a call. */
export interface CallDetail {
  readonly call: CallRow;
  readonly system: readonly MessageView[];
  readonly messages: readonly MessageView[];
  readonly tools: readonly string[];
  readonly params: string;
  readonly answers: readonly MessageView[];
  readonly usage_raw: string | null;
  readonly cost: CostView;
  readonly error_whose: string | null;
  readonly error_kind: string | null;
  readonly unreadable_where: string | null;
  readonly unreadable_reason: string | null;
  readonly request_id: string | null;
  readonly response_id: string | null;
  readonly model_response: string | null;
  readonly client: string;
  readonly connection_id: string;
  /** What has been streamed so far by a running call, rebuilt from its delta events; empty otherwise. */
  readonly partial: readonly MessageView[];
  /** Events up to here are contained in this answer. */
  readonly seq: number;
  /** `messages[new_from:]` are what this turn adds; those before it were sent in earlier turns. */
  readonly new_from: number;
  /** Whose the connection is; None for a client on another machine, one that was gone too soon, or where nobody looks. */
  readonly caller: CallerView | null;
}

/** A piece of a text. `kind`: `same`, `removed` (only the earlier one has it) or `added`. */
export interface Edit {
  readonly kind: string;
  readonly text: string;
}

/**
 * One entry of a list (a tool, a system block, a message, a parameter), or a run of entries that are the same.
 *
 * kind: `same`, `added`, `removed`, `changed` or `moved`. name: a message's role, a tool's or a parameter's name; empty for a
 * run. before_at, after_at: where it stands in the earlier and in the later call; None where it does not. count: entries of the run.
 * edits: its text in pieces; nothing for a run. note: what a person may want to be told of it.
 */
export interface Change {
  readonly kind: string;
  readonly name: string;
  readonly before_at: number | null;
  readonly after_at: number | null;
  readonly count: number;
  readonly edits: readonly Edit[];
  readonly note: string;
}

/** A block of a request. `part`: `tools`, `system`, `messages`; `at`: the entry; `block`: the block within a message. */
export interface Place {
  readonly part: string;
  readonly at: number;
  readonly block: number;
  /** As a person says it: `tool 3 (search)`, `message 12, block 2 (user)`. */
  readonly words: string;
}

/**
 * Why the cache could not be used as far as it reached.
 *
 * rule: a stable word (`model`, `tools`, `system`, `messages`, `parameter`, `marks`, `lookback`, `expired`, `parallel`,
 * `minimum`, `key`, `provider` …). certain: False where it may be so.
 */
export interface Reason {
  readonly rule: string;
  readonly words: string;
  readonly certain: boolean;
}

/** A place up to which a request asks its provider to keep the prompt. */
export interface CacheMark {
  readonly place: Place;
  /** How long it asked for; None where the format names no time. */
  readonly ttl_s: number | null;
}

/**
 * What the prompt cache made of the later call.
 *
 * verdict: `kept` (all that could be read was), `partly`, `lost` (nothing was), `nothing` (nothing lay there), `unknown`.
 * Tokens: `reusable` lay in the cache after the earlier call; `read` were read by the later one, `missed` were not and had to be paid
 * anew. `missed_usd` is what that cost beyond their price from the cache, `saved_usd` what the read ones cost less than uncached.
 * None is unknown, or unpriced.
 */
export interface CacheView {
  readonly verdict: string;
  readonly words: string;
  /** The first block that differs; None when the later request begins with all of the earlier one. */
  readonly breaks_at: Place | null;
  /** The first one is the one that breaks it first. Filled in for what is to be expected, too, where the tokens are unknown. */
  readonly reasons: readonly Reason[];
  readonly reusable_tokens: number | null;
  readonly read_tokens: number | null;
  readonly missed_tokens: number | null;
  /** Estimated: input tokens of the later call that stand before `breaks_at`. */
  readonly before_break_tokens: number | null;
  readonly missed_usd: number | null;
  readonly saved_usd: number | null;
  readonly marks_before: readonly CacheMark[];
  readonly marks_after: readonly CacheMark[];
  /** The provider's page on its cache that these rules are from; empty for a provider we know none of. */
  readonly source: string;
}

/** Two calls, entry by entry. `same`: nothing was added, removed, moved or changed. */
export interface Comparison {
  readonly before: CallRow;
  readonly after: CallRow;
  readonly same: boolean;
  /** The model and every other parameter that differs. */
  readonly params: readonly Change[];
  readonly tools: readonly Change[];
  readonly system: readonly Change[];
  readonly messages: readonly Change[];
  readonly cache: CacheView;
}

/** A body with its content coding removed, for reading; capped. */
export interface DecodedBody {
  readonly encoding: "utf8" | "base64";
  readonly data: string;
  /** The content coding that was removed, as `gzip`. */
  readonly coding: string;
  /** The cap was reached, or the coded bytes are damaged: what is here is the beginning. */
  readonly truncated: boolean;
  /** Why it was cut, in words; empty when it was not. */
  readonly reason: string;
}

/** A body exactly as it crossed. `base64` when the bytes are no UTF-8 text. */
export interface BodyView {
  readonly encoding: "utf8" | "base64";
  readonly data: string;
  /** Only the beginning is here; the download has all that was recorded. */
  readonly truncated: boolean;
  /** None when no content coding was in use, or one that we cannot remove. */
  readonly decoded: DecodedBody | null;
}

/** `model.query.RawExchange` with its bodies made fit for JSON. */
export interface RawView {
  readonly call_id: string;
  readonly method: string;
  readonly target: string;
  readonly target_received: string;
  readonly upstream_url: string;
  readonly request_headers: readonly (readonly [string, string])[];
  readonly request_body: BodyView;
  /** True size in bytes, also when the record was capped. */
  readonly request_body_size: number;
  /** True when the body was rebuilt from its recipe, False when it was kept whole. */
  readonly request_rebuilt: boolean;
  readonly status: number | null;
  readonly reason: string | null;
  readonly response_headers: readonly (readonly [string, string])[];
  readonly response_body: BodyView;
  readonly response_body_size: number;
  readonly response_trailers: readonly (readonly [string, string])[];
  /** (ms since the call began, bytes) for each piece of the response body. */
  readonly chunks: readonly (readonly [number, number])[];
  readonly outcome: string | null;
  readonly outcome_detail: string;
  readonly flags: readonly string[];
  readonly request_trailers: readonly (readonly [string, string])[];
}

/** Something behind the relay that does not work now. Calls go on and wait in the journal, until that reaches its cap. */
export interface Trouble {
  /** `relay` (one worker of several), `recorder`, `dashboard` or `store`. */
  readonly what: string;
  readonly why: string;
}

/** How the live push to an OpenTelemetry collector stands, since this database was first pushed. */
export interface OtlpStatus {
  /** Address of the collector, without path or keys. */
  readonly endpoint: string;
  readonly sent_spans: number;
  /** Refused by the collector. */
  readonly rejected_spans: number;
  /** Calls that ended and were never offered: the collector was away for longer than they could wait. */
  readonly missed_calls: number;
  readonly waiting_calls: number;
  /** The collector's complaint, while it has one. */
  readonly said: string;
}

/** The proxy whose runtime file lies beside the database. `running` False: the file is there but its process is not. */
export interface ProxyStatus {
  readonly running: boolean;
  /** Base URL that clients are pointed at. */
  readonly url: string;
  /** Address of its own dashboard, without a token. */
  readonly dashboard_url: string | null;
  /** The supervisor's. */
  readonly pid: number;
  readonly worker_pids: readonly number[];
  readonly recorder_pid: number | null;
  readonly dashboard_pid: number | null;
  readonly started_at: string | null;
  readonly version: string | null;
  /** Calls relayed since the start, all workers together; None where no counter could be read, as below. */
  readonly calls: number | null;
  readonly calls_open: number | null;
  /** Bytes in the journal that the store does not have yet. */
  readonly journal_lag_bytes: number | null;
  /** Appends have failed or stalled: frames queue in memory until the disk answers. */
  readonly journal_degraded: boolean;
  /** Frames that could not be kept; the calls themselves were relayed. */
  readonly records_dropped: number;
  /** What does not work now; empty while all is well. */
  readonly troubles: readonly Trouble[];
  /** None: calls are not pushed. */
  readonly otlp: OtlpStatus | null;
}

/** How the dashboard and the proxy beside it are doing. */
export interface StatusView {
  readonly version: string;
  readonly db: string;
  /** None when no proxy has run on this database. */
  readonly proxy: ProxyStatus | null;
  /** Bytes in the journal that the store does not have yet; None when that cannot be told. */
  readonly journal_lag_bytes: number | null;
  /** Frames that could not be kept since the proxy started; 0 when there is none. */
  readonly records_dropped: number;
  /** Events after this number can still be read. */
  readonly floor: number;
  /** Number of the newest event. */
  readonly seq: number;
}

/** What a person said of a call, for showing. */
export interface DecisionView {
  /** Names it when it is to be taken back. */
  readonly decision_id: string;
  readonly call_id: string;
  /** `opened_by`, `trace`, `apart` or `cut`. */
  readonly kind: string;
  /** The call that opened it, the trace to which it belongs, or the call from which the wrong edge leads. */
  readonly other: string;
  /** Of a wrong edge. */
  readonly edge_type: string;
  readonly made_by: string;
  readonly made_at: string;
}

/** What people said, newest first. */
export interface DecisionList {
  readonly items: readonly DecisionView[];
}

/** Whose fault, what happened, what to do. */
export interface ErrorBody {
  readonly whose: "caller" | "dashboard" | "store";
  readonly message: string;
  readonly hint: string;
}

/** Every answer with a status of 400 or more. */
export interface ErrorView {
  readonly error: ErrorBody;
}

/** First message on every WebSocket: which events can be read now. */
export interface HelloMessage {
  readonly type: "hello";
  readonly floor: number;
  readonly last: number;
}

/** A call appeared, moved on or ended: its whole row. */
export interface CallEvent {
  readonly seq: number;
  readonly kind: "call";
  readonly trace_id: string | null;
  readonly call_id: string | null;
  readonly row: CallRow;
}

/** A trace appeared or its sums changed: its whole row. */
export interface TraceEvent {
  readonly seq: number;
  readonly kind: "trace";
  readonly trace_id: string | null;
  readonly call_id: string | null;
  readonly row: TraceRow;
}

/** An edge appeared. */
export interface EdgeEvent {
  readonly seq: number;
  readonly kind: "edge";
  readonly trace_id: string | null;
  readonly call_id: string | null;
  readonly row: EdgeRow;
}

/** A piece of a running answer: appended to part `part` of the answer, counted from 0. */
export interface DeltaRow {
  readonly call_id: string;
  /** ISO 8601 UTC, as every time in a row. */
  readonly at: string;
  readonly part: number;
  /** The part's kind: `text`, `thinking`, `tool_use` … */
  readonly kind: string;
  readonly text: string;
  /** Tool name, on the first piece of a tool use. */
  readonly name: string | null;
}

/** A running answer grew. */
export interface DeltaEvent {
  readonly seq: number;
  readonly kind: "delta";
  readonly trace_id: string | null;
  readonly call_id: string | null;
  readonly row: DeltaRow;
}

/** Something left the store: by retention, in a trace that was merged into another, or an edge that no longer holds. */
export interface RemovedRow {
  /** The trace that is gone, or the trace of the call or edge that is gone. */
  readonly trace_id: string | null;
  /** The call that is gone; None when the whole trace or an edge is. */
  readonly call_id: string | null;
  /** The trace that took over its calls, when it was merged. */
  readonly merged_into: string | null;
  /** The edge that is gone: then nothing else is. */
  readonly edge_id: string | null;
}

/** A call, a trace or an edge is gone. */
export interface RemovedEvent {
  readonly seq: number;
  readonly kind: "removed";
  readonly trace_id: string | null;
  readonly call_id: string | null;
  readonly row: RemovedRow;
}

/** Events in the order of their numbers, each exactly once. */
export interface EventsMessage {
  readonly type: "events";
  readonly items: readonly LiveEvent[];
}

/** What was missed cannot be told event by event: fetch the lists again; events after `last` follow on this connection. */
export interface ResetMessage {
  readonly type: "reset";
  readonly floor: number;
  readonly last: number;
}

/** Nothing happened; the connection is alive and up to date. */
export interface PingMessage {
  readonly type: "ping";
  readonly last: number;
}

export type LiveEvent = CallEvent | TraceEvent | EdgeEvent | DeltaEvent | RemovedEvent;

export type LiveMessage = HelloMessage | EventsMessage | ResetMessage | PingMessage;
