// The detail of one call. While it runs its answer grows from deltas; when it ends it is fetched once more, and the text that
// was read meanwhile stays on the page until the final answer has come.
import { signal } from "@preact/signals";
import { api, type Problem } from "../lib/api";
import type { CallDetail, DeltaRow, LiveEvent, MessageView, PartView } from "../types.gen";
import { Snapshot } from "./snapshot";

/** Append a piece to part `delta.part` of a growing answer; parts that were skipped stand empty. */
export function grow(partial: readonly MessageView[], delta: DeltaRow): readonly MessageView[] {
  const message = partial[0] ?? { role: "assistant", parts: [], node: "" };
  const parts: PartView[] = [...message.parts];
  while (parts.length <= delta.part) {
    parts.push({ kind: delta.kind, text: "", tool_id: null, name: null, arguments: null, is_error: null, raw: "" });
  }
  const part = parts[delta.part] as PartView;
  const named = { ...part, kind: delta.kind, name: delta.name ?? part.name };
  parts[delta.part] =
    delta.kind === "tool_use" ? { ...named, arguments: (part.arguments ?? "") + delta.text } : { ...named, text: part.text + delta.text };
  return [{ ...message, parts }, ...partial.slice(1)];
}

export class OpenCall {
  readonly detail = signal<CallDetail | null>(null);
  readonly loading = signal(false);
  readonly problem = signal<Problem | null>(null);
  callId: string | null = null;
  #snapshot = new Snapshot();
  #abort: AbortController | null = null;
  readonly #fetch: (callId: string, signal?: AbortSignal) => Promise<CallDetail>;

  constructor(fetchCall = api.call) {
    this.#fetch = fetchCall;
  }

  /** Show a call; null shows none. */
  async open(callId: string | null): Promise<void> {
    if (callId === this.callId) return;
    this.callId = callId;
    this.detail.value = null;
    this.problem.value = null;
    this.#abort?.abort();
    this.#snapshot.clear();
    this.loading.value = false;
    if (callId !== null) await this.reload();
  }

  async reload(): Promise<void> {
    const callId = this.callId;
    if (callId === null) return;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const turn = this.#snapshot.begin();
    this.loading.value = true;
    try {
      const detail = await this.#fetch(callId, abort.signal);
      if (!this.#snapshot.isCurrent(turn)) return;
      this.detail.value = detail;
      this.problem.value = null;
      this.#apply(this.#snapshot.land(detail.seq));
    } catch (failure) {
      if (!this.#snapshot.isCurrent(turn)) return;
      this.problem.value = failure as Problem;
      this.#apply(this.#snapshot.fail());
    } finally {
      if (this.#snapshot.isCurrent(turn)) this.loading.value = false;
    }
  }

  take(events: readonly LiveEvent[]): void {
    if (this.callId === null) return;
    const mine = events.filter((event) => event.call_id === this.callId);
    if (mine.length > 0) this.#apply(this.#snapshot.take(mine));
  }

  #apply(events: readonly LiveEvent[]): void {
    let detail = this.detail.peek();
    if (!detail) return;
    let ended = false;
    for (const event of events) {
      if (event.kind === "delta") {
        if (detail.call.status === "running") detail = { ...detail, partial: grow(detail.partial, event.row) };
      } else if (event.kind === "call") {
        ended ||= event.row.status !== detail.call.status;
        detail = { ...detail, call: event.row };
      }
    }
    this.detail.value = detail;
    if (ended) void this.reload();
  }
}
