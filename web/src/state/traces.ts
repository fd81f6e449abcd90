// The list of traces, newest first: pages from the API, live rows from the feed. New rows wait while the reader is further down.
import { signal } from "@preact/signals";
import { api, type Problem } from "../lib/api";
import { parseSearch, searchParams } from "../lib/search";
import type { LiveEvent, TracePage, TraceRow } from "../types.gen";
import { Snapshot } from "./snapshot";

/** The first page is quick; those that scrolling asks for are as large as the API gives. */
const FIRST_ROWS = 100;
const MORE_ROWS = 500;

export interface Sums {
  readonly traces: number;
  readonly calls: number;
  readonly errors: number;
  readonly tokens: number;
  readonly usd: number;
  readonly unpriced: number;
}

const NOTHING: Sums = { traces: 0, calls: 0, errors: 0, tokens: 0, usd: 0, unpriced: 0 };

function plus(sums: Sums, row: TraceRow, sign: 1 | -1): Sums {
  return {
    traces: sums.traces + sign,
    calls: sums.calls + sign * row.call_count,
    errors: sums.errors + sign * row.error_count,
    tokens: sums.tokens + sign * ((row.tokens_input ?? 0) + (row.tokens_output ?? 0)),
    usd: sums.usd + sign * (row.cost_usd ?? 0),
    unpriced: sums.unpriced + sign * row.unpriced_count,
  };
}

/** True when `left` stands above `right`. */
function isNewer(left: TraceRow, right: TraceRow): boolean {
  return left.created_at === right.created_at ? left.trace_id > right.trace_id : left.created_at > right.created_at;
}

export class TraceList {
  /** Counts up when anything below changed: a view reads it to be drawn again. */
  readonly version = signal(0);
  readonly loading = signal(false);
  readonly problem = signal<Problem | null>(null);
  readonly complaints = signal<readonly string[]>([]);
  order: string[] = [];
  rows = new Map<string, TraceRow>();
  waiting = new Map<string, TraceRow>();
  sums: Sums = NOTHING;
  hasMore = false;
  loaded = false;
  /** Set by the view: the first row is in sight. */
  atTop = true;
  search = "";
  #cursor: string | null = null;
  #snapshot = new Snapshot();
  #abort: AbortController | null = null;
  readonly #fetch: (params: URLSearchParams, signal?: AbortSignal) => Promise<TracePage>;

  constructor(fetchPage = api.traces) {
    this.#fetch = fetchPage;
  }

  get isFiltered(): boolean {
    return this.search.trim() !== "";
  }

  /** Fetch the first page for a search; returns the number the feed may resume after. */
  async load(search: string): Promise<number | null> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.search = search;
    const turn = this.#snapshot.begin();
    this.loading.value = true;
    try {
      const page = await this.#fetch(this.#params(null), abort.signal);
      if (!this.#snapshot.isCurrent(turn)) return null;
      this.#replace(page);
      this.apply(this.#snapshot.land(page.seq));
      this.problem.value = null;
      return page.seq;
    } catch (failure) {
      if (!this.#snapshot.isCurrent(turn)) return null;
      this.apply(this.#snapshot.fail());
      this.problem.value = failure as Problem;
      return null;
    } finally {
      if (this.#snapshot.isCurrent(turn)) {
        this.loading.value = false;
        this.version.value += 1;
        if (this.order.length === 0 && this.hasMore) void this.more();
      }
    }
  }

  /** Fetch the next page, if there is one and none is on its way. */
  async more(): Promise<void> {
    if (!this.hasMore || this.loading.peek()) return;
    const abort = this.#abort;
    this.loading.value = true;
    try {
      // A search looks at so many calls at a time: a page may be empty and yet not the last.
      for (let isEmpty = true; isEmpty && this.hasMore; ) {
        const page = await this.#fetch(this.#params(this.#cursor), abort?.signal);
        if (abort !== this.#abort) return;
        isEmpty = page.items.length === 0;
        for (const row of page.items) this.#append(row);
        this.#turnPage(page);
      }
    } catch (failure) {
      if (abort === this.#abort) this.problem.value = failure as Problem;
    } finally {
      // A search that began meanwhile has its own fetch under way.
      if (abort === this.#abort) {
        this.loading.value = false;
        this.version.value += 1;
      }
    }
  }

  take(events: readonly LiveEvent[]): void {
    this.apply(this.#snapshot.take(events));
  }

  apply(events: readonly LiveEvent[]): void {
    let changed = false;
    for (const event of events) {
      if (event.kind === "trace") changed = this.#upsert(event.row) || changed;
      else if (event.kind === "removed" && event.row.call_id === null && !event.row.edge_id && event.row.trace_id !== null) {
        changed = this.#remove(event.row.trace_id) || changed;
      }
    }
    if (changed) this.version.value += 1;
  }

  /** Let the waiting rows in, at the reader's wish. A filtered list cannot judge them: it must be loaded again. */
  admit(): void {
    for (const row of this.waiting.values()) this.#insert(row);
    this.waiting.clear();
    this.version.value += 1;
  }

  #params(cursor: string | null): URLSearchParams {
    const search = parseSearch(this.search, Date.now());
    this.complaints.value = search.complaints;
    const params = searchParams(search);
    params.set("limit", String(cursor === null ? FIRST_ROWS : MORE_ROWS));
    if (cursor !== null) params.set("cursor", cursor);
    return params;
  }

  #replace(page: TracePage): void {
    this.rows = new Map();
    this.order = [];
    this.waiting = new Map();
    this.sums = NOTHING;
    for (const row of page.items) this.#append(row);
    this.#turnPage(page);
    this.loaded = true;
  }

  #turnPage(page: TracePage): void {
    this.#cursor = page.next_cursor;
    this.hasMore = page.next_cursor !== null;
  }

  #append(row: TraceRow): void {
    if (this.rows.has(row.trace_id)) return;
    this.waiting.delete(row.trace_id);
    this.rows.set(row.trace_id, row);
    this.order.push(row.trace_id);
    this.sums = plus(this.sums, row, 1);
  }

  #upsert(row: TraceRow): boolean {
    const old = this.rows.get(row.trace_id);
    if (old) {
      this.rows.set(row.trace_id, row);
      this.sums = plus(plus(this.sums, old, -1), row, 1);
      return true;
    }
    const last = this.rows.get(this.order.at(-1) ?? "");
    if (this.hasMore && last && isNewer(last, row)) return false;
    if (this.isFiltered || !this.atTop) this.waiting.set(row.trace_id, row);
    else this.#insert(row);
    return true;
  }

  #insert(row: TraceRow): void {
    if (this.rows.has(row.trace_id)) return;
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = this.rows.get(this.order[middle] ?? "");
      if (there && isNewer(there, row)) low = middle + 1;
      else high = middle;
    }
    this.order.splice(low, 0, row.trace_id);
    this.rows.set(row.trace_id, row);
    this.sums = plus(this.sums, row, 1);
  }

  #remove(traceId: string): boolean {
    const row = this.rows.get(traceId);
    if (!row) return this.waiting.delete(traceId);
    this.rows.delete(traceId);
    this.order.splice(this.order.indexOf(traceId), 1);
    this.sums = plus(this.sums, row, -1);
    return true;
  }
}
