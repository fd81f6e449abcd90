import { describe, expect, it } from "vitest";
import { callName, cuttable, inWords, openers, otherTraces } from "../src/detail/choices";
import { at, callRow, edgeRow, traceRow } from "./rows";

const me = callRow("m", { thread_id: "mine", created_at: at(5) });
const calls = [
  callRow("a", { thread_id: "x", created_at: at(1), agent_name: "planner", prompt_preview: "Plan  the\ngarden" }),
  callRow("b", { thread_id: "y", created_at: at(2), tool_names: ["delegate"] }),
  callRow("c", { thread_id: "mine", created_at: at(3) }),
  me,
  callRow("z", { thread_id: "x", created_at: at(9), agent_name: "planner" }),
];

describe("what a person may mean", () => {
  it("offers earlier calls of others, the nearest first", () => {
    expect(openers(calls, me, "").map((one) => one.call_id)).toEqual(["b", "a"]);
    expect(openers(calls, me, " PLAN ").map((one) => one.call_id)).toEqual(["a"]);
    expect(openers(calls, me, "delegate").map((one) => one.call_id)).toEqual(["b"]);
    expect(openers(calls, me, "nobody")).toEqual([]);
  });

  it("offers other traces only to who looks for one", () => {
    const traces = [traceRow("t"), traceRow("other", { task_description: "Water the roses" })];
    expect(otherTraces(traces, me, "")).toEqual([]);
    expect(otherTraces(traces, me, "roses").map((one) => one.trace_id)).toEqual(["other"]);
    expect(otherTraces(traces, me, "t").map((one) => one.trace_id)).toEqual(["other"]);
  });

  it("lets edges be cut that lead to the call, unless a person drew them", () => {
    const edges = [edgeRow("a", "m", "delegation"), edgeRow("b", "m", "response", { evidence: "by hand" }), edgeRow("m", "z", "request")];
    expect(cuttable(edges, me).map((edge) => edge.edge_id)).toEqual(["delegation a m"]);
  });

  it("says what was said", () => {
    const said = { decision_id: "1", call_id: "m", kind: "opened_by", other: "a", edge_type: "", made_by: "ada", made_at: at(9) };
    const name = (callId: string) => callName(calls.find((one) => one.call_id === callId) ?? null, callId);
    expect(inWords(said, name)).toBe("opened by planner: Plan the garden");
    expect(inWords({ ...said, kind: "cut", other: "gone", edge_type: "request" }, name)).toBe("no request from gone");
    expect(inWords({ ...said, kind: "trace", other: "t2" }, name)).toBe("belongs to the trace t2");
    expect(inWords({ ...said, kind: "apart", other: "" }, name)).toBe("a trace of its own");
  });
});
