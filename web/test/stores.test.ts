import { describe, expect, it } from "vitest";
import { grow, OpenCall } from "../src/state/call";
import { Snapshot } from "../src/state/snapshot";
import { OpenTrace } from "../src/state/trace";
import { TraceList } from "../src/state/traces";
import type { CallDetail, LiveEvent, TraceDetail, TracePage } from "../src/types.gen";
import { at, callDetail, callEvent, callRow, deltaEvent, edgeRow, said, traceEvent, traceRow } from "./rows";

/** An answer that is given when the test says so. */
function held<T>() {
  let give: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    give = resolve;
  });
  return { promise, give };
}

const page = (ids: string[], seq: number, next: string | null = null): TracePage => ({
  items: ids.map((id, index) => traceRow(id, { created_at: at(1000 - index) })),
  next_cursor: next,
  seq,
});

describe("a snapshot and the events after it", () => {
  const event = (seq: number): LiveEvent => traceEvent(seq, traceRow("t"));

  it("keeps what comes meanwhile and drops what it contains", () => {
    const snapshot = new Snapshot();
    expect(snapshot.take([event(1)])).toEqual([]);
    snapshot.begin();
    expect(snapshot.take([event(4), event(5)])).toEqual([]);
    expect(snapshot.take([event(6)])).toEqual([]);
    expect(snapshot.land(5).map((each) => each.seq)).toEqual([6]);
    expect(snapshot.take([event(5), event(7)]).map((each) => each.seq)).toEqual([7]);
  });

  it("goes on with the old truth when a fetch fails", () => {
    const snapshot = new Snapshot();
    snapshot.begin();
    snapshot.land(3);
    snapshot.begin();
    snapshot.take([event(4)]);
    expect(snapshot.fail().map((each) => each.seq)).toEqual([4]);
  });

  it("forgets a fetch that was overtaken", () => {
    const snapshot = new Snapshot();
    const first = snapshot.begin();
    const second = snapshot.begin();
    expect(snapshot.isCurrent(first)).toBe(false);
    expect(snapshot.isCurrent(second)).toBe(true);
  });
});

describe("the list of traces", () => {
  it("shows a new trace on top at once, and makes it wait while the reader is further down", async () => {
    const list = new TraceList(async () => page(["b", "a"], 5));
    await list.load("");
    list.take([traceEvent(6, traceRow("c", { created_at: at(2000) }))]);
    expect(list.order).toEqual(["c", "b", "a"]);
    list.atTop = false;
    list.take([
      traceEvent(7, traceRow("d", { created_at: at(3000) })),
      traceEvent(8, traceRow("a", { call_count: 9, created_at: at(999) })),
    ]);
    expect(list.order).toEqual(["c", "b", "a"]);
    expect([...list.waiting.keys()]).toEqual(["d"]);
    expect(list.rows.get("a")?.call_count).toBe(9);
    list.admit();
    expect(list.order).toEqual(["d", "c", "b", "a"]);
    expect(list.waiting.size).toBe(0);
  });

  it("does not judge by itself whether a new trace matches a search", async () => {
    const list = new TraceList(async () => page(["a"], 5));
    await list.load("status:failed");
    list.take([traceEvent(6, traceRow("b", { created_at: at(2000) }))]);
    expect(list.order).toEqual(["a"]);
    expect(list.waiting.size).toBe(1);
  });

  it("fetches page after page and ignores live rows that belong to pages not fetched yet", async () => {
    const asked: (string | null)[] = [];
    const list = new TraceList(async (params) => {
      asked.push(params.get("cursor"));
      const all = page(["f", "e", "d", "c", "b", "a"], 5);
      const from = Number(params.get("cursor") ?? 0);
      return { ...all, items: all.items.slice(from, from + 2), next_cursor: from < 4 ? String(from + 2) : null };
    });
    await list.load("");
    list.take([traceEvent(7, traceRow("old", { created_at: at(0) }))]);
    expect(list.order).toEqual(["f", "e"]);
    await list.more();
    await list.more();
    await list.more();
    expect(asked).toEqual([null, "2", "4"]);
    expect(list.order).toEqual(["f", "e", "d", "c", "b", "a"]);
    expect(list.hasMore).toBe(false);
  });

  it("keeps its sums right through changes and removals", async () => {
    const list = new TraceList(async () => page(["b", "a"], 5));
    await list.load("");
    list.take([traceEvent(6, traceRow("a", { created_at: at(999), cost_usd: 1, error_count: 2 }))]);
    expect(list.sums).toMatchObject({ traces: 2, errors: 2 });
    expect(list.sums.usd).toBeCloseTo(1.01);
    list.take([{ seq: 7, kind: "removed", trace_id: "a", call_id: null, row: { trace_id: "a", call_id: null, merged_into: null, edge_id: null } }]);
    expect(list.order).toEqual(["b"]);
    expect(list.sums.traces).toBe(1);
  });

  it("shows the answer to the last search, whichever comes first", async () => {
    const answers = [held<TracePage>(), held<TracePage>()];
    let turn = 0;
    const list = new TraceList(() => (answers[turn++] as (typeof answers)[0]).promise);
    const first = list.load("one");
    const second = list.load("two");
    answers[1]?.give(page(["two"], 5));
    await second;
    answers[0]?.give(page(["one"], 4));
    await first;
    expect(list.order).toEqual(["two"]);
  });
});

describe("the open trace", () => {
  const detail = (seq: number): TraceDetail => ({
    trace: traceRow("t"),
    calls: [callRow("1", { created_at: at(1) }), callRow("2", { created_at: at(2), status: "running" })],
    edges: [edgeRow("1", "2", "request")],
    seq,
  });

  it("applies events that came while it was fetched, each once", async () => {
    const answer = held<TraceDetail>();
    const trace = new OpenTrace(() => answer.promise);
    const loading = trace.load("t");
    trace.take([callEvent(4, callRow("0", { created_at: at(0) })), callEvent(6, callRow("3", { created_at: at(3) }))]);
    answer.give(detail(5));
    await loading;
    expect(trace.calls.map((call) => call.call_id)).toEqual(["1", "2", "3"]);
    expect(trace.call("3")?.call_id).toBe("3");
  });

  it("orders calls by when they began, in whatever order they are told", async () => {
    const trace = new OpenTrace(async () => detail(5));
    await trace.load("t");
    trace.take([callEvent(6, callRow("5", { created_at: at(5) })), callEvent(7, callRow("4", { created_at: at(1.5) }))]);
    expect(trace.calls.map((call) => call.call_id)).toEqual(["1", "4", "2", "5"]);
    expect(trace.calls.every((call) => trace.call(call.call_id) === call)).toBe(true);
  });

  it("lets a running answer grow and forgets the growth when it ends", async () => {
    const trace = new OpenTrace(async () => detail(5));
    await trace.load("t");
    trace.take([deltaEvent(6, "2", "Hel"), deltaEvent(7, "2", "lo"), deltaEvent(8, "1", "late")]);
    expect(trace.growth.get("2")).toMatchObject({ chars: 5, tail: "Hello" });
    expect(trace.growth.has("1")).toBe(false);
    trace.take([callEvent(9, callRow("2", { created_at: at(2) }))]);
    expect(trace.growth.size).toBe(0);
  });

  it("lets calls go that moved to another trace, with their edges", async () => {
    const trace = new OpenTrace(async () => detail(5));
    await trace.load("t");
    trace.take([callEvent(6, callRow("2", { trace_id: "other" }))]);
    expect(trace.calls.map((call) => call.call_id)).toEqual(["1"]);
    expect(trace.edges).toEqual([]);
    trace.take([{ seq: 7, kind: "removed", trace_id: "t", call_id: null, row: { trace_id: "t", call_id: null, merged_into: "other", edge_id: null } }]);
    expect(trace.mergedInto).toBe("other");
  });

  it("lets an edge go that no longer holds, and nothing else", async () => {
    const trace = new OpenTrace(async () => detail(5));
    await trace.load("t");
    const gone = { trace_id: "t", call_id: null, merged_into: null, edge_id: "request 1 2" };
    trace.take([{ seq: 6, kind: "removed", trace_id: "t", call_id: null, row: gone }]);
    expect(trace.edges).toEqual([]);
    expect(trace.isRemoved).toBe(false);
    expect(trace.calls.length).toBe(2);
    const list = new TraceList(async () => page(["t"], 5));
    await list.load("");
    list.take([{ seq: 6, kind: "removed", trace_id: "t", call_id: null, row: gone }]);
    expect(list.order).toEqual(["t"]);
  });
});

describe("the open call", () => {
  it("grows part by part", () => {
    let partial = grow([], deltaEvent(1, "c", "thought", { kind: "thinking" }).row);
    partial = grow(partial, deltaEvent(2, "c", "Hel", { part: 1 }).row);
    partial = grow(partial, deltaEvent(3, "c", "lo", { part: 1 }).row);
    partial = grow(partial, deltaEvent(4, "c", '{"a":', { part: 2, kind: "tool_use", name: "read" }).row);
    partial = grow(partial, deltaEvent(5, "c", "1}", { part: 2, kind: "tool_use" }).row);
    expect(partial[0]?.parts.map((each) => [each.kind, each.text, each.name, each.arguments])).toEqual([
      ["thinking", "thought", null, null],
      ["text", "Hello", null, null],
      ["tool_use", "", "read", '{"a":1}'],
    ]);
  });

  it("continues the text it was opened with and fetches the final answer once", async () => {
    let asked = 0;
    const running = callRow("c", { status: "running" });
    const open = new OpenCall(async (): Promise<CallDetail> => {
      asked += 1;
      return asked === 1
        ? callDetail(running, { partial: [said("assistant", "Hel")], seq: 5 })
        : callDetail(callRow("c"), { answers: [said("assistant", "Hello.")], seq: 9 });
    });
    await open.open("c");
    open.take([deltaEvent(5, "c", "Hel"), deltaEvent(6, "c", "lo"), deltaEvent(6, "other", "x")]);
    expect(open.detail.value?.partial[0]?.parts[0]?.text).toBe("Hello");
    open.take([callEvent(8, callRow("c"))]);
    expect(open.detail.value?.partial[0]?.parts[0]?.text).toBe("Hello");
    await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve));
    expect(asked).toBe(2);
    expect(open.detail.value?.answers[0]?.parts[0]?.text).toBe("Hello.");
  });

  it("shows nothing of a call that was left before it came", async () => {
    const answer = held<CallDetail>();
    const open = new OpenCall(() => answer.promise);
    const opening = open.open("c");
    await open.open(null);
    answer.give(callDetail(callRow("c")));
    await opening;
    expect(open.detail.value).toBeNull();
  });
});
