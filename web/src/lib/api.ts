// The only place that speaks HTTP. A failure is always a `Problem`: what happened and what to do, in words for the person.
import type {
  CallDetail,
  CallPage,
  Comparison,
  ErrorView,
  RawView,
  StatusView,
  ToolRunsView,
  ToolsView,
  TraceDetail,
  TracePage,
} from "../types.gen";

export class Problem extends Error {
  readonly status: number;
  readonly hint: string;

  /** `status` is 0 when no answer came at all. */
  constructor(status: number, message: string, hint: string) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

function isErrorView(value: unknown): value is ErrorView {
  return typeof value === "object" && value !== null && "error" in value && typeof value.error === "object" && value.error !== null;
}

export async function getJson<T>(path: string, signal?: AbortSignal, change: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...change, headers: { accept: "application/json", ...change.headers }, ...(signal ? { signal } : {}) });
  } catch (failure) {
    if (signal?.aborted) throw failure;
    throw new Problem(0, "The dashboard does not answer.", "Is `anton proxy dashboard` still running? The page tries again by itself.");
  }
  const body: unknown = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body as T;
  if (isErrorView(body)) throw new Problem(answer.status, body.error.message, body.error.hint);
  throw new Problem(answer.status, `The dashboard answered with ${answer.status} ${answer.statusText}.`, "");
}

const id = encodeURIComponent;

/** What the page offers; the API knows more. */
export const EXPORT_FORMATS = ["jsonl", "csv", "har", "html"] as const;

export const api = {
  traces: (params: URLSearchParams, signal?: AbortSignal) => getJson<TracePage>(`/api/traces?${params}`, signal),
  trace: (traceId: string, signal?: AbortSignal) => getJson<TraceDetail>(`/api/traces/${id(traceId)}`, signal),
  calls: (params: URLSearchParams, signal?: AbortSignal) => getJson<CallPage>(`/api/calls?${params}`, signal),
  call: (callId: string, signal?: AbortSignal) => getJson<CallDetail>(`/api/calls/${id(callId)}`, signal),
  tools: (traceId: string, signal?: AbortSignal) => getJson<ToolsView>(`/api/traces/${id(traceId)}/tools`, signal),
  runs: (callId: string, signal?: AbortSignal) => getJson<ToolRunsView>(`/api/calls/${id(callId)}/tools`, signal),
  diff: (callId: string, against: string, signal?: AbortSignal) =>
    getJson<Comparison>(`/api/calls/${id(callId)}/diff?against=${id(against)}`, signal),
  raw: (callId: string, signal?: AbortSignal) => getJson<RawView>(`/api/calls/${id(callId)}/raw`, signal),
  rawUrl: (callId: string, side: "request" | "response") => `/api/calls/${id(callId)}/raw/${side}`,
  exportUrl: (format: (typeof EXPORT_FORMATS)[number], traceId: string) => `/api/export?format=${format}&trace=${id(traceId)}`,
  status: (signal?: AbortSignal) => getJson<StatusView>("/api/status", signal),
};
