// The open trace: its row, its calls in the order they began, its edges; and how far each running answer has come.
import { signal } from "@preact/signals";
import { api, type Problem } from "../lib/api";
import type { CallRow, DeltaRow, EdgeRow, LiveEvent, TraceDetail, TraceRow } from "../types.gen";
import { Snapshot } from "./snapshot";

/** What is known of a running answer between two versions of its row. */
export interface Growth {
  readonly chars: number;
  /** When its first piece came. */
  readonly since: string;
  /** Kind of the part that grows: text, thinking, tool_use. */
  readonly kind: string;
  readonly tail: string;
}

const TAIL_CHARS = 120;

export class OpenTrace {
  readonly version = signal(0);
  readonly loading = signal(false);
  readonly problem = signal<Problem | null>(null);
  /** Id of the trace that is wanted; `row` is null until it has come. */
  traceId: string | null = null;
  row: TraceRow | null = null;
  calls: CallRow[] = [];
  edges: EdgeRow[] = [];
  growth = new Map<string, Growth>();
  /** The trace that took this one's calls over, when that happened. */
  mergedInto: string | null = null;
  isRemoved = false;
  #byId = new Map<string, number>();
  #edgeIds = new Map<string, number>();
  #snapshot = new Snapshot();
  #abort: AbortController | null = null;
  readonly #fetch: (traceId: string, signal?: AbortSignal) => Promise<TraceDetail>;

  constructor(fetchTrace = api.trace) {
    this.#fetch = fetchTrace;
  }

  call(callId: string | null): CallRow | null {
    const at = callId === null ? undefined : this.#byId.get(callId);
    return at === undefined ? null : (this.calls[at] ?? null);
  }

  close(): void {
    this.#abort?.abort();
    this.#snapshot.clear();
    this.#reset(null);
    this.loading.value = false;
    this.version.value += 1;
  }

  async load(traceId: string): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const turn = this.#snapshot.begin();
    if (traceId !== this.traceId) {
      this.#reset(traceId);
      this.version.value += 1;
    }
    this.loading.value = true;
    try {
      const detail = await this.#fetch(traceId, abort.signal);
      if (!this.#snapshot.isCurrent(turn)) return;
      this.#replace(detail);
      this.apply(this.#snapshot.land(detail.seq));
      this.problem.value = null;
    } catch (failure) {
      if (!this.#snapshot.isCurrent(turn)) return;
      this.apply(this.#snapshot.fail());
      this.problem.value = failure as Problem;
    } finally {
      if (this.#snapshot.isCurrent(turn)) {
        this.loading.value = false;
        this.version.value += 1;
      }
    }
  }

  take(events: readonly LiveEvent[]): void {
    if (this.traceId !== null) this.apply(this.#snapshot.take(events));
  }

  apply(events: readonly LiveEvent[]): void {
    let changed = false;
    for (const event of events) changed = this.#one(event) || changed;
    if (changed) this.version.value += 1;
  }

  #one(event: LiveEvent): boolean {
    switch (event.kind) {
      case "call":
        if (event.row.trace_id === this.traceId) return this.#put(event.row);
        return this.#drop(event.row.call_id);
      case "trace":
        if (event.row.trace_id !== this.traceId) return false;
        this.row = event.row;
        return true;
      case "edge":
        return event.row.trace_id === this.traceId && this.#putEdge(event.row);
      case "delta":
        return event.trace_id === this.traceId && this.#grow(event.row);
      case "removed":
        if (event.row.edge_id) return this.#dropEdge(event.row.edge_id);
        if (event.row.call_id !== null) return this.#drop(event.row.call_id);
        if (event.row.trace_id !== this.traceId) return false;
        this.isRemoved = true;
        this.mergedInto = event.row.merged_into;
        return true;
    }
  }

  #reset(traceId: string | null): void {
    this.traceId = traceId;
    this.row = null;
    this.calls = [];
    this.edges = [];
    this.growth = new Map();
    this.mergedInto = null;
    this.isRemoved = false;
    this.problem.value = null;
    this.#byId = new Map();
    this.#edgeIds = new Map();
  }

  #replace(detail: TraceDetail): void {
    this.row = detail.trace;
    this.calls = [...detail.calls];
    this.edges = [...detail.edges];
    this.#index();
    for (const callId of this.growth.keys()) if (this.call(callId)?.status !== "running") this.growth.delete(callId);
  }

  #index(): void {
    this.calls.sort((left, right) =>
      left.created_at === right.created_at ? (left.call_id < right.call_id ? -1 : 1) : left.created_at < right.created_at ? -1 : 1,
    );
    this.#byId = new Map(this.calls.map((call, at) => [call.call_id, at]));
    this.#edgeIds = new Map(this.edges.map((edge, at) => [edge.edge_id, at]));
  }

  #put(row: CallRow): boolean {
    if (row.status !== "running") this.growth.delete(row.call_id);
    const at = this.#byId.get(row.call_id);
    const last = this.calls.at(-1);
    if (at !== undefined && this.calls[at]?.created_at === row.created_at) {
      this.calls = this.calls.with(at, row);
      return true;
    }
    if (at !== undefined) this.calls = this.calls.with(at, row);
    else this.calls = [...this.calls, row];
    if (at === undefined && (!last || last.created_at <= row.created_at)) this.#byId.set(row.call_id, this.calls.length - 1);
    else this.#index();
    return true;
  }

  #putEdge(row: EdgeRow): boolean {
    const at = this.#edgeIds.get(row.edge_id);
    if (at === undefined) {
      this.#edgeIds.set(row.edge_id, this.edges.length);
      this.edges = [...this.edges, row];
    } else {
      this.edges = this.edges.with(at, row);
    }
    return true;
  }

  #dropEdge(edgeId: string): boolean {
    if (!this.#edgeIds.has(edgeId)) return false;
    this.edges = this.edges.filter((edge) => edge.edge_id !== edgeId);
    this.#index();
    return true;
  }

  #drop(callId: string): boolean {
    if (!this.#byId.has(callId)) return false;
    this.calls = this.calls.filter((call) => call.call_id !== callId);
    this.edges = this.edges.filter((edge) => edge.from_call_id !== callId && edge.to_call_id !== callId);
    this.growth.delete(callId);
    this.#index();
    return true;
  }

  #grow(delta: DeltaRow): boolean {
    const call = this.call(delta.call_id);
    if (call && call.status !== "running") return false;
    const old = this.growth.get(delta.call_id);
    this.growth.set(delta.call_id, {
      chars: (old?.chars ?? 0) + delta.text.length,
      since: old?.since ?? delta.at,
      kind: delta.kind,
      tail: ((old?.kind === delta.kind ? old.tail : "") + delta.text).slice(-TAIL_CHARS),
    });
    return true;
  }
}
