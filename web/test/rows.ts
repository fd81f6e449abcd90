// Rows for tests: whole, dull, and changed where a test cares.
import type {
  CallDetail,
  CallEvent,
  CallRow,
  DeltaEvent,
  EdgeRow,
  MessageView,
  PartView,
  ToolSpan,
  TraceEvent,
  TraceRow,
} from "../src/types.gen";

export function traceRow(traceId: string, more: Partial<TraceRow> = {}): TraceRow {
  return {
    trace_id: traceId,
    created_at: "2026-11-22T09:30:00.000000Z",
    name: null,
    task_description: traceId,
    status: "completed",
    ended_at: "2026-11-22T09:30:02.000000Z",
    last_activity_at: "2026-11-22T09:30:02.000000Z",
    source: "path.t",
    call_count: 1,
    running_count: 0,
    agent_count: 1,
    error_count: 0,
    tokens_input: 100,
    tokens_output: 10,
    cost_usd: 0.01,
    unpriced_count: 0,
    ...more,
  };
}

/** The `second`-th second of the tests' day. */
export function at(second: number): string {
  return new Date(Date.UTC(2026, 10, 22, 9, 30, 0) + second * 1000).toISOString().replace("Z", "000Z");
}

export function callRow(callId: string, more: Partial<CallRow> = {}): CallRow {
  return {
    call_id: callId,
    trace_id: "t",
    thread_id: "a",
    parent_id: null,
    created_at: at(0),
    ended_at: at(1),
    status: "completed",
    kind: "turn",
    provider: "claude",
    format: "anthropic.messages",
    operation: "chat",
    method: "POST",
    path: "/v1/messages",
    upstream: "anthropic",
    model: "claude-sonnet-4-5",
    agent_name: null,
    stream: true,
    duration_ms: 1000,
    ttft_ms: 200,
    tokens_input: 100,
    tokens_output: 10,
    tokens_cache_read: null,
    tokens_cache_write: null,
    tokens_reasoning: null,
    usage_source: "reported",
    cost_usd: 0.01,
    finish_reason: "end_turn",
    http_status: 200,
    error: null,
    prompt_preview: "",
    answer_preview: "",
    tool_names: [],
    replay_of: null,
    flags: [],
    ...more,
  };
}

export function edgeRow(from: string, to: string, kind: string, more: Partial<EdgeRow> = {}): EdgeRow {
  return {
    edge_id: `${kind} ${from} ${to}`,
    trace_id: "t",
    from_call_id: from,
    to_call_id: to,
    edge_type: kind,
    evidence: "continuation",
    confidence: 1,
    ...more,
  };
}

/** A run of a second that began when the call's answer ended. */
export function toolSpan(callId: string, number: number, name: string, more: Partial<ToolSpan> = {}): ToolSpan {
  return {
    span_id: `${callId}.${number}`,
    call_id: callId,
    number,
    thread_id: "a",
    name,
    tool_id: null,
    state: "returned",
    started_at: at(1),
    ended_at: at(2),
    duration_ms: 1000,
    result_call_id: null,
    result_message: 1,
    result_part: 0,
    paired_by: "id",
    opened: [],
    ...more,
  };
}

export function part(kind: string, text = "", more: Partial<PartView> = {}): PartView {
  return { kind, text, tool_id: null, name: null, arguments: null, is_error: null, raw: "", ...more };
}

export function said(role: string, text: string, node = `${role}:${text}`): MessageView {
  return { role, parts: [part("text", text)], node };
}

export function callDetail(call: CallRow, more: Partial<CallDetail> = {}): CallDetail {
  return {
    call,
    system: [],
    messages: [],
    tools: [],
    params: "{}",
    answers: [],
    usage_raw: null,
    cost: { usd: null, model: null, catalogue: null, tier: null, why: "" },
    error_whose: null,
    error_kind: null,
    unreadable_where: null,
    unreadable_reason: null,
    request_id: null,
    response_id: null,
    model_response: null,
    client: "",
    connection_id: "",
    partial: [],
    seq: 0,
    new_from: 0,
    caller: null,
    ...more,
  };
}

export function traceEvent(seq: number, row: TraceRow): TraceEvent {
  return { seq, kind: "trace", trace_id: row.trace_id, call_id: null, row };
}

export function callEvent(seq: number, row: CallRow): CallEvent {
  return { seq, kind: "call", trace_id: row.trace_id, call_id: row.call_id, row };
}

export function deltaEvent(seq: number, callId: string, text: string, more: Partial<DeltaEvent["row"]> = {}): DeltaEvent {
  return {
    seq,
    kind: "delta",
    trace_id: "t",
    call_id: callId,
    row: { call_id: callId, at: at(0), part: 0, kind: "text", text, name: null, ...more },
  };
}
