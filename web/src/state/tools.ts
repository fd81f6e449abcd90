// Tools that ran in the open trace: fetched while a view needs them, and again when the trace has moved on.
import { computed, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Problem } from "../lib/api";
import { byCall, NO_SPANS, type SpansByCall } from "../trace/tools";
import type { ToolRun, ToolSpan } from "../types.gen";
import { trace } from "./app";

/** A burst of calls is waited for; a trace that takes long to read is read again less often. */
const SETTLE_MS = 300;
const REST_PER_READ = 10;

class OpenTools {
  readonly spans = signal<{ readonly traceId: string | null; readonly items: SpansByCall }>({ traceId: null, items: NO_SPANS });
  #wanted = "";
  #read = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #restUntil = 0;

  /** `state` changes whenever a run may have begun or ended. */
  want(traceId: string, state: string): void {
    this.#wanted = `${traceId} ${state}`;
    if (this.#wanted === this.#read || this.#timer !== undefined) return;
    const isNew = this.spans.peek().traceId !== traceId;
    const wait = isNew ? 0 : Math.max(SETTLE_MS, this.#restUntil - performance.now());
    this.#timer = setTimeout(() => void this.#load(traceId), wait);
  }

  async #load(traceId: string): Promise<void> {
    if (trace.traceId === traceId && trace.isRemoved) {
      this.#timer = undefined;
      return;
    }
    const wanted = this.#wanted;
    const began = performance.now();
    const found = await api.tools(traceId).catch(() => null);
    this.#restUntil = performance.now() + REST_PER_READ * (performance.now() - began);
    this.#timer = undefined;
    if (trace.traceId === traceId && found) {
      this.#read = wanted;
      this.spans.value = { traceId, items: byCall(found.items) };
    }
    // What came meanwhile is read too; after a failure the next change asks again.
    if (trace.traceId !== null && !trace.isRemoved && found && this.#wanted !== this.#read) this.want(trace.traceId, this.#wanted.slice(trace.traceId.length + 1));
  }
}

const tools = new OpenTools();
const current = computed(() => {
  trace.version.value;
  const { traceId, items } = tools.spans.value;
  return traceId === trace.traceId ? items : NO_SPANS;
});

const stamps = new WeakMap<object, number>();
let stamped = 0;

/** Another number for every other list: lists of rows are never changed, only replaced. */
function stampOf(rows: object): number {
  const known = stamps.get(rows);
  if (known !== undefined) return known;
  stamped += 1;
  stamps.set(rows, stamped);
  return stamped;
}

/** The runs of the open trace, kept up to date while the component that asks is shown. */
export function useToolSpans(): SpansByCall {
  trace.version.value;
  const { traceId, calls, edges, row } = trace;
  const state = `${stampOf(calls)} ${stampOf(edges)} ${row?.status ?? ""}`;
  useEffect(() => {
    if (traceId !== null && row !== null) tools.want(traceId, state);
  }, [traceId, row === null, state]);
  return current.value;
}

/** The runs of one call with arguments and results, fetched anew when something became of one of them. */
export class OpenRuns {
  readonly items = signal<readonly ToolRun[] | null>(null);
  readonly problem = signal<Problem | null>(null);
  #turn = 0;

  async load(callId: string): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const found = await api.runs(callId);
      if (turn !== this.#turn) return;
      this.items.value = found.items;
      this.problem.value = null;
    } catch (failure) {
      if (turn === this.#turn) this.problem.value = failure as Problem;
    }
  }
}

/** Changes when something became of one of a call's runs. */
export function stateOf(spans: readonly ToolSpan[]): string {
  return spans.map((span) => `${span.number} ${span.state} ${span.result_call_id ?? ""} ${span.opened.join()}`).join(";");
}
