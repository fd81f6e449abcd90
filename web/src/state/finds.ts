// Where the words of a search stand: for each trace of the list the newest call that holds them, and the line they are in.
import { signal } from "@preact/signals";
import { api } from "../lib/api";
import { parseSearch, searchParams } from "../lib/search";
import type { CallPage, Snippet } from "../types.gen";

export interface Find {
  readonly callId: string;
  readonly snippet: Snippet;
  /** Calls of the trace that hold the words, of those looked at. */
  readonly calls: number;
}

/** Pages of calls that are looked at for one search: what stands further down has no line under it. */
const MOST_PAGES = 3;
const ROWS = 200;

/** What stands before the first word in a narrow list. */
const BEFORE_CHARS = 14;

/** The pieces of a line, begun so shortly before the first hit that the hit is in sight. */
export function nearHit(snippet: Snippet): Snippet["pieces"] {
  const first = snippet.pieces.findIndex(([, isHit]) => isHit);
  const before = snippet.pieces.slice(0, Math.max(first, 0)).map(([text]) => text).join("");
  if (before.length <= BEFORE_CHARS) return snippet.pieces;
  const cut = before.slice(-BEFORE_CHARS).replace(/^\S*\s/, "");
  return [[`… ${cut}`, false], ...snippet.pieces.slice(first)];
}

export class Finds {
  /** By trace; empty while nothing is searched for by words. */
  readonly found = signal<ReadonlyMap<string, Find>>(new Map());
  #abort: AbortController | null = null;
  readonly #fetch: (params: URLSearchParams, signal?: AbortSignal) => Promise<CallPage>;

  constructor(fetchPage = api.calls) {
    this.#fetch = fetchPage;
  }

  async look(input: string): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.found.value = new Map();
    const search = parseSearch(input, Date.now());
    if (search.text === "") return;
    // Narrowed by words alone: the other filters mean something else for a call than for a trace.
    const params = searchParams({ text: search.text, error: false, complaints: [] });
    params.set("limit", String(ROWS));
    try {
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const answer = await this.#fetch(params, abort.signal);
        if (abort.signal.aborted) return;
        this.found.value = merged(this.found.peek(), answer);
        if (answer.next_cursor === null) return;
        params.set("cursor", answer.next_cursor);
      }
    } catch {
      // The list itself says what is wrong; without lines it is still a list.
    }
  }
}

export function merged(found: ReadonlyMap<string, Find>, page: CallPage): ReadonlyMap<string, Find> {
  const next = new Map(found);
  page.items.forEach((row, index) => {
    const snippet = page.snippets[index];
    if (!snippet) return;
    const known = next.get(row.trace_id);
    next.set(row.trace_id, known ? { ...known, calls: known.calls + 1 } : { callId: row.call_id, snippet, calls: 1 });
  });
  return next;
}
