// Tools that ran between calls: grouped, worded, drawn.
import { describe, expect, it } from "vitest";
import { layOut } from "../src/graph/layout";
import { step } from "../src/graph/walk";
import { wire } from "../src/graph/wires";
import { readLanes } from "../src/timeline/lanes";
import { readAgents } from "../src/trace/agents";
import { byCall, fateOf, fateWords, NO_SPANS, shortFate, toolGroups, toolTotals } from "../src/trace/tools";
import type { EdgeRow } from "../src/types.gen";
import { at, callRow, edgeRow, toolSpan } from "./rows";

const open = () => true;

describe("tools of an answer", () => {
  it("are grouped by name, the row's names first, then what became of them", () => {
    const call = callRow("1", { tool_names: ["read", "test", "read"] });
    expect(toolGroups(call, NO_SPANS)).toEqual([
      { name: "read", times: 2, spans: [] },
      { name: "test", times: 1, spans: [] },
    ]);
    const spans = [toolSpan("1", 0, "read"), toolSpan("1", 1, "test"), toolSpan("1", 2, "read")];
    expect(toolGroups(call, byCall(spans)).map((group) => group.spans.map((span) => span.number))).toEqual([[0, 2], [1]]);
  });

  it("that a model asked for in plain text are known from their results only", () => {
    const call = callRow("1");
    expect(toolGroups(call, NO_SPANS)).toEqual([]);
    expect(toolGroups(call, byCall([toolSpan("1", 0, "read")]))).toMatchObject([{ name: "read", times: 1 }]);
  });

  it("beyond the fourth are counted, and stay reachable", () => {
    const names = ["a", "b", "c", "d", "e", "e"];
    const spans = names.map((name, number) => toolSpan("1", number, name));
    const groups = toolGroups(callRow("1", { tool_names: names }), byCall(spans));
    expect(groups.map((group) => group.name)).toEqual(["a", "b", "c", "3 more"]);
    expect(groups.at(-1)?.spans.map((span) => span.number)).toEqual([3, 4, 5]);
  });

  it("say what became of them", () => {
    const running = toolSpan("1", 0, "x", { state: "running", ended_at: null, duration_ms: null });
    const unseen = { ...running, state: "unseen" };
    const failed = toolSpan("1", 1, "x", { state: "failed", duration_ms: 2500 });
    const fine = toolSpan("1", 2, "x");
    expect([[], [fine], [running], [unseen], [failed]].map(fateWords)).toEqual([
      "",
      "returned after 1.00 s",
      "running",
      "no result seen",
      "failed after 2.50 s",
    ]);
    expect(fateWords([fine, failed])).toBe("1 of 2 failed after 2.50 s");
    expect(fateWords([fine, unseen])).toBe("returned after 1.00 s, 1 of 2 without a result");
    expect([[], [fine], [running], [unseen], [fine, failed]].map(shortFate)).toEqual(["", "1.00 s", "running", "no result", "2.50 s"]);
    expect(fateOf([running, unseen]).state).toBe("running");
    expect(fateOf([fine, unseen]).state).toBe("returned");
  });

  it("are summed for an agent", () => {
    const spans = [
      toolSpan("1", 0, "read"),
      toolSpan("1", 1, "test", { state: "failed" }),
      toolSpan("2", 0, "test", { state: "unseen", duration_ms: null }),
    ];
    expect(toolTotals([callRow("1"), callRow("2"), callRow("3")], byCall(spans))).toEqual([
      { name: "test", runs: 2, failed: 1, unseen: 1, ms: 1000 },
      { name: "read", runs: 1, failed: 0, unseen: 0, ms: 1000 },
    ]);
  });
});

describe("tools in the graph", () => {
  const calls = [
    callRow("1", { tool_names: ["task", "bash"] }),
    callRow("x", { thread_id: "x", created_at: at(2) }),
    callRow("2", { created_at: at(9) }),
    callRow("3", { created_at: at(12) }),
  ];
  const edges: EdgeRow[] = [edgeRow("1", "x", "delegation"), edgeRow("1", "2", "request"), edgeRow("2", "3", "request")];
  const drawn = (spans = NO_SPANS) => {
    const agents = readAgents(calls, edges);
    return wire(agents, edges, layOut(agents, open, new Map(), spans), spans).map((each) => each.id);
  };

  it("lead to the call that brought their results, and the one that delegated to its agent", () => {
    const spans = byCall([
      toolSpan("1", 0, "task", { opened: ["x"], result_call_id: "2" }),
      toolSpan("1", 1, "bash", { result_call_id: "3" }),
    ]);
    const ids = drawn(spans);
    expect(ids).toContain("delegation:tool:1:task>agent:x");
    expect(ids).toContain("own:tool:1:task>call:2");
    expect(ids).toContain("own:tool:1:bash>call:3");
    expect(ids).not.toContain("request:call:1>call:2");
  });

  it("without a result lead nowhere: the next turn is then drawn as such", () => {
    const lost = { state: "unseen", ended_at: null, duration_ms: null };
    const ids = drawn(byCall([toolSpan("1", 0, "task", lost), toolSpan("1", 1, "bash", lost)]));
    expect(ids).toContain("request:call:1>call:2");
    expect(ids.filter((id) => id.startsWith("own:tool"))).toEqual([]);
    const spans = byCall([toolSpan("1", 0, "task", lost), toolSpan("1", 1, "bash", lost)]);
    const agents = readAgents(calls, edges);
    const layout = layOut(agents, open, layOut(agents, open).pins, spans);
    const lane = layout.lanes.get("1")?.[0];
    const beside = ["tool:1:task", "tool:1:bash"].map((id) => layout.byId.get(id));
    for (const node of beside) expect(Math.abs((lane?.x ?? 0) - (node?.x ?? 0))).toBeGreaterThan(node?.rx ?? 0);
  });

  it("are walked to with Shift, and among each other without", () => {
    const agents = readAgents(calls, edges);
    const layout = layOut(agents, open);
    const wires = wire(agents, edges, layout);
    const go = (from: string, key: string, withTools = false) => step(layout.byId.get(from) ?? null, key, layout, wires, withTools)?.id;
    expect(go("call:1", "ArrowDown", true)).toBe("tool:1:task");
    expect(go("tool:1:task", "ArrowRight")).toBe("tool:1:bash");
    expect(go("tool:1:bash", "ArrowLeft")).toBe("tool:1:task");
    expect(go("tool:1:bash", "ArrowUp")).toBe("call:1");
    expect(go("tool:1:bash", "ArrowDown")).toBe("call:2");
    expect(go("call:1", "ArrowDown")).not.toContain("tool:");
  });

  it("lead to the next turn while nothing is known, and stay where they are when it is", () => {
    expect(drawn()).toContain("own:tool:1:bash>call:2");
    const agents = readAgents(calls, edges);
    const before = layOut(agents, open);
    const after = layOut(agents, open, before.pins, byCall([toolSpan("1", 0, "task"), toolSpan("1", 1, "bash")]));
    expect(after.nodes.map(({ id, x, y }) => [id, x, y])).toEqual(before.nodes.map(({ id, x, y }) => [id, x, y]));
  });
});

describe("tools on the timeline", () => {
  it("run from the answer to the request that brought their results, or until now", () => {
    const calls = [callRow("1", { tool_names: ["a", "b", "c"] }), callRow("2", { created_at: at(5), ended_at: at(6) })];
    const spans = byCall([
      toolSpan("1", 0, "a", { ended_at: at(5) }),
      toolSpan("1", 1, "b", { ended_at: at(5) }),
      toolSpan("1", 2, "c", { state: "unseen", ended_at: null }),
      toolSpan("2", 0, "d", { state: "running", started_at: at(6), ended_at: null }),
    ]);
    const now = Date.parse(at(20));
    const [lane] = readLanes(readAgents(calls, []), now, new Map(), spans).lanes;
    expect(lane?.bars.map((bar) => bar.runs.map((runs) => [runs.from, runs.to, runs.spans.map((span) => span.name)]))).toEqual([
      [[1000, 5000, ["a", "b"]]],
      [[6000, 20_000, ["d"]]],
    ]);
  });
});
