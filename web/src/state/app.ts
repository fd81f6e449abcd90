// Joins route, feed and stores: the only place that knows all of them.
import { batch, effect, signal, untracked } from "@preact/signals";
import { api, Problem } from "../lib/api";
import { mainThread } from "../trace/agents";
import type { LiveEvent, StatusView } from "../types.gen";
import { OpenCall } from "./call";
import { Feed, type FeedState, type Socket } from "./feed";
import { Finds } from "./finds";
import { go, place, startRouting } from "./route";
import { OpenTrace } from "./trace";
import { TraceList } from "./traces";

export const traces = new TraceList();
export const finds = new Finds();
export const trace = new OpenTrace();
export const call = new OpenCall();
export const feedState = signal<FeedState>({ kind: "connecting" });
export const status = signal<StatusView | null>(null);
/** Why nothing can be shown at all, as when the link's token has expired. */
export const closedDoor = signal<Problem | null>(null);
/** How old the news was when it reached us, in ms; null when nothing came lately. */
export const newsAge = signal<number | null>(null);
/** Wall clock, once a second: ages and running durations are drawn from it. */
export const now = signal(Date.now());

const STATUS_EVERY_MS = 5_000;
const HIDDEN_FLUSH_MS = 250;
/** News older than this means that we are behind. */
const LATE_MS = 2_000;
/** After this time without news there is nothing left to be behind of: what came late was the last of it. */
const CAUGHT_UP_MS = 1_500;
let caughtUp: ReturnType<typeof setTimeout> | undefined;

function openSocket(after: number): Socket {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(`${scheme}//${location.host}/ws?after=${after}`) as Socket;
}

function noteAge(items: readonly LiveEvent[]): void {
  let newest: number | null = null;
  for (const item of items) if (item.kind === "delta") newest = Date.parse(item.row.at);
  if (newest === null) return;
  const late = Date.now() - newest;
  newsAge.value = late > LATE_MS ? late : null;
  clearTimeout(caughtUp);
  caughtUp = setTimeout(() => {
    newsAge.value = null;
  }, CAUGHT_UP_MS);
}

const feed = new Feed(
  {
    open: openSocket,
    soon: (task) => {
      if (document.hidden) setTimeout(task, HIDDEN_FLUSH_MS);
      else requestAnimationFrame(task);
    },
    later: (task, ms) => {
      const timer = setTimeout(task, ms);
      return () => clearTimeout(timer);
    },
    now: () => Date.now(),
    random: () => Math.random(),
  },
  {
    events: (items) =>
      batch(() => {
        traces.take(items);
        trace.take(items);
        call.take(items);
        noteAge(items);
      }),
    reset: () => {
      void traces.load(traces.search);
      if (trace.traceId !== null) void trace.load(trace.traceId);
      void call.reload();
    },
    state: (state) => {
      feedState.value = state;
      if (state.kind === "reconnecting") void readStatus();
      else if (state.kind === "live") recover();
    },
  },
);

/** What failed while the server was away is fetched again. */
function recover(): void {
  if (closedDoor.peek()) closedDoor.value = null;
  if (trace.problem.peek() && trace.traceId !== null) void trace.load(trace.traceId);
  if (call.problem.peek()) void call.reload();
  if (traces.problem.peek()) void traces.load(traces.search);
  void readStatus();
}

async function readStatus(): Promise<void> {
  try {
    status.value = await api.status();
    closedDoor.value = null;
  } catch (failure) {
    if (failure instanceof Problem && (failure.status === 401 || failure.status === 403)) closedDoor.value = failure;
  }
}

async function resolveLone(callId: string): Promise<void> {
  try {
    const detail = await api.call(callId);
    go({ trace: detail.call.trace_id, lone: null, call: detail.call.call_id }, "replace");
  } catch (failure) {
    trace.problem.value = failure as Problem;
  }
}

/** The call whose detail is shown: the chosen one, or the only one there is; a conversation without a choice shows its newest turn. */
export function shownCall(): string | null {
  const at = place.value;
  trace.version.value;
  if (at.call !== null) return at.call;
  const { calls } = trace;
  if (at.view === "conversation") {
    const thread = at.agent ?? mainThread(calls, trace.edges);
    return calls.findLast((each) => each.thread_id === thread)?.call_id ?? null;
  }
  return at.agent === null && calls.length === 1 ? (calls[0]?.call_id ?? null) : null;
}

function search(text: string): void {
  void traces.load(text);
  void finds.look(text);
}

export async function begin(): Promise<void> {
  startRouting();
  let started = false;
  effect(() => {
    const wanted = place.value.search;
    if (started && wanted !== traces.search) untracked(() => search(wanted));
  });
  effect(() => {
    const { trace: wanted, lone } = place.value;
    untracked(() => {
      if (wanted === trace.traceId && lone === null) return;
      if (wanted !== null) void trace.load(wanted);
      else trace.close();
      if (lone !== null) void resolveLone(lone);
    });
  });
  effect(() => {
    const wanted = shownCall();
    untracked(() => void call.open(wanted));
  });
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1000);
  setInterval(() => {
    if (!document.hidden) void readStatus();
  }, STATUS_EVERY_MS);
  const wake = () => {
    now.value = Date.now();
    if (!document.hidden) feed.hurry();
  };
  document.addEventListener("visibilitychange", wake);
  window.addEventListener("online", wake);

  void readStatus();
  void finds.look(place.peek().search);
  const seq = await traces.load(place.peek().search);
  started = true;
  if (place.peek().search !== traces.search) search(place.peek().search);
  feed.start(seq ?? 0);
}
