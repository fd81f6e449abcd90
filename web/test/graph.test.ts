import { describe, expect, it } from "vitest";
import { arrange } from "../src/graph/arrange";
import { layOut } from "../src/graph/layout";
import { agentNodeId, callNodeId, type Layout } from "../src/graph/node";
import { fitEye } from "../src/graph/overview";
import { hideHelpers } from "../src/graph/unfold";
import { step } from "../src/graph/walk";
import { pathToRoot, wire } from "../src/graph/wires";
import { readLanes } from "../src/timeline/lanes";
import { mainThread, readAgents, totals, withDescendants } from "../src/trace/agents";
import type { CallRow, EdgeRow } from "../src/types.gen";
import { at, callRow, edgeRow } from "./rows";

interface Scene {
  calls: CallRow[];
  edges: EdgeRow[];
}

/** A root of three calls whose second opens `children` agents of two calls each; the third takes their results. */
function family(children: number): Scene {
  const calls = [1, 2, 3].map((number) =>
    callRow(`r${number}`, {
      thread_id: "root",
      agent_name: "root",
      created_at: at(number === 3 ? 100 : number),
      tool_names: number === 1 ? ["ls"] : [],
    }),
  );
  const edges = [edgeRow("r1", "r2", "request"), edgeRow("r2", "r3", "request")];
  for (let child = 0; child < children; child += 1) {
    const thread = `c${child}`;
    calls.push(callRow(`${thread}.1`, { thread_id: thread, created_at: at(10 + child) }));
    calls.push(callRow(`${thread}.2`, { thread_id: thread, created_at: at(40 + child), answer_preview: "done" }));
    edges.push(
      edgeRow("r2", `${thread}.1`, "delegation"),
      edgeRow(`${thread}.1`, `${thread}.2`, "request"),
      edgeRow(`${thread}.2`, "r3", "response"),
    );
  }
  calls.sort((left, right) => (left.created_at < right.created_at ? -1 : 1));
  return { calls, edges };
}

const open = () => true;
const folded = () => false;

function overlaps(layout: Layout): string[] {
  const found: string[] = [];
  for (const [index, left] of layout.nodes.entries()) {
    for (const right of layout.nodes.slice(index + 1)) {
      if (Math.abs(left.x - right.x) < left.rx + right.rx && Math.abs(left.y - right.y) < left.ry + right.ry)
        found.push(`${left.id} ${right.id}`);
    }
  }
  return found;
}

describe("agents", () => {
  it("are read from threads and delegations", () => {
    const { calls, edges } = family(2);
    const agents = readAgents(calls, edges);
    expect(agents.roots).toEqual(["root"]);
    expect(agents.order.map((agent) => [agent.threadId, agent.depth, agent.parent])).toEqual([
      ["root", 0, null],
      ["c0", 1, "root"],
      ["c1", 1, "root"],
    ]);
    expect(totals(withDescendants(agents, "root"))).toMatchObject({ calls: 7, tokens: 770 });
  });

  it("survive delegations that go in a ring", () => {
    const calls = [callRow("a", { thread_id: "a" }), callRow("b", { thread_id: "b", created_at: at(1) })];
    const edges = [edgeRow("a", "b", "delegation"), edgeRow("b", "a", "delegation")];
    const agents = readAgents(calls, edges);
    expect(agents.order).toHaveLength(2);
    expect(layOut(agents, folded).nodes).toHaveLength(2);
    expect(withDescendants(agents, "a")).toHaveLength(2);
  });

  it("leave an unpriced call out of the sum and count it", () => {
    const agents = readAgents(
      [
        callRow("1"),
        callRow("2", { cost_usd: null, created_at: at(2) }),
        callRow("3", { cost_usd: null, status: "running", created_at: at(3) }),
      ],
      [],
    );
    expect(totals(agents.order)).toMatchObject({ usd: 0.01, unpriced: 1 });
  });
});

describe("the picture", () => {
  it("lets time flow down and nothing overlap", () => {
    for (const children of [0, 1, 2, 5, 11, 25]) {
      for (const isOpen of [open, folded]) {
        const { calls, edges } = family(children);
        const agents = readAgents(calls, edges);
        const layout = layOut(agents, isOpen);
        expect(overlaps(layout)).toEqual([]);
        for (const each of wire(agents, edges, layout)) {
          if (each.kind === "request" || each.kind === "own" || each.kind === "delegation") expect(each.to.y).toBeGreaterThan(each.from.y);
        }
        expect(
          layout.nodes.every(
            (node) => node.x - node.rx >= layout.left && node.x + node.rx <= layout.right && node.y + node.ry <= layout.bottom,
          ),
        ).toBe(true);
      }
    }
  });

  it("has a node for each agent when folded, and for each call when unfolded", () => {
    const { calls, edges } = family(3);
    const agents = readAgents(calls, edges);
    expect(layOut(agents, folded).nodes.map((node) => node.kind)).toEqual(["agent", "agent", "agent", "agent"]);
    const whole = layOut(agents, open);
    expect(calls.every((call) => whole.byId.has(callNodeId(call.call_id)))).toBe(true);
    expect(whole.nodes.filter((node) => node.kind === "tool").map((node) => node.name)).toEqual(["ls"]);
    expect(whole.nodes.filter((node) => node.kind === "answer")).toHaveLength(3);
  });

  it("keeps what is placed where it is while agents are added", () => {
    let before: Layout | null = null;
    for (let children = 1; children <= 9; children += 1) {
      const { calls, edges } = family(children);
      const layout = layOut(readAgents(calls, edges), folded, before?.pins ?? new Map());
      for (const node of before?.nodes ?? []) expect(layout.byId.get(node.id)).toMatchObject({ x: node.x, y: node.y });
      expect(overlaps(layout)).toEqual([]);
      before = layout;
    }
  });

  it("keeps what is placed where it is when the next turn comes", () => {
    const { calls, edges } = family(3);
    const working = calls.filter((call) => call.call_id !== "r3");
    const before = layOut(readAgents(working, edges), open);
    const after = layOut(readAgents(calls, edges), open, before.pins);
    for (const node of before.nodes) expect(after.byId.get(node.id)).toMatchObject({ x: node.x, y: node.y });
    expect(after.byId.get(callNodeId("r3"))?.x).toBe(0);
    expect(after.lanes.get("r2")?.[0]?.x).toBe(0);
  });

  it("pushes neighbours aside only as far as an unfolded one needs", () => {
    const at0 = arrange(
      [
        { id: "a", left: 10, right: 10 },
        { id: "b", left: 10, right: 10 },
      ],
      new Map(),
      5,
    );
    const wider = arrange(
      [
        { id: "a", left: 10, right: 40 },
        { id: "b", left: 10, right: 10 },
      ],
      at0,
      5,
    );
    expect(wider.get("a")).toBe(at0.get("a"));
    expect((wider.get("b") ?? 0) - (wider.get("a") ?? 0)).toBe(55);
  });

  it("draws an edge between folded agents once, and says what came of it", () => {
    const { calls, edges } = family(2);
    const agents = readAgents(calls, edges);
    const wires = wire(agents, edges, layOut(agents, folded));
    expect(wires.map((each) => each.kind).sort()).toEqual(["delegation", "delegation", "response", "response"]);
    expect(wires.find((each) => each.kind === "delegation")?.totals).toMatchObject({ calls: 2, tokens: 220 });
  });

  it("lights the way to the root", () => {
    const { calls, edges } = family(2);
    const agents = readAgents(calls, edges);
    const layout = layOut(agents, open);
    const lit = pathToRoot(callNodeId("c1.2"), wire(agents, edges, layout));
    expect([agentNodeId("root"), callNodeId("r2"), agentNodeId("c1"), callNodeId("c1.1")].every((id) => lit.has(id))).toBe(true);
    expect(lit.has(agentNodeId("c0"))).toBe(false);
  });

  it("is walked along its edges", () => {
    const { calls, edges } = family(2);
    const agents = readAgents(calls, edges);
    const layout = layOut(agents, open);
    const wires = wire(agents, edges, layout);
    const go = (from: string | null, key: string) => step(from === null ? null : (layout.byId.get(from) ?? null), key, layout, wires)?.id;
    expect(go(null, "ArrowDown")).toBe(agentNodeId("root"));
    expect(go(callNodeId("r1"), "ArrowDown")).toBe(callNodeId("r2"));
    expect(go(callNodeId("r2"), "ArrowUp")).toBe(callNodeId("r1"));
    expect(go(agentNodeId("c0"), "ArrowRight")).toBe(agentNodeId("c1"));
  });

  it("of 2,000 calls is laid out whole", { timeout: 30_000 }, () => {
    const calls: CallRow[] = [];
    const edges: EdgeRow[] = [];
    for (let agent = 0; agent < 100; agent += 1) {
      for (let turn = 0; turn < 20; turn += 1) {
        calls.push(callRow(`${agent}.${turn}`, { thread_id: `a${agent}`, created_at: at(agent + turn), tool_names: ["read"] }));
        if (turn > 0) edges.push(edgeRow(`${agent}.${turn - 1}`, `${agent}.${turn}`, "request"));
        else if (agent > 0) edges.push(edgeRow("0.0", `${agent}.0`, "delegation"));
      }
    }
    const agents = readAgents(calls, edges);
    const layout = layOut(agents, open);
    expect(wire(agents, edges, layout).length).toBeGreaterThan(4000);
  });

  it("fits a frame and is not blown up", () => {
    const { calls, edges } = family(3);
    const layout = layOut(readAgents(calls, edges), open);
    const eye = fitEye(layout, 800, 600, 20, 1.15);
    expect(layout.right * eye.k + eye.x).toBeLessThanOrEqual(781);
    expect(layout.bottom * eye.k + eye.y).toBeLessThanOrEqual(600);
    expect(fitEye(layout, 9000, 9000, 20, 1.15).k).toBe(1.15);
  });
});

describe("the main thread", () => {
  it("is the root below which most happened, not the one that spoke first", () => {
    const { calls, edges } = family(2);
    const title = callRow("t", { thread_id: "title", created_at: at(0) });
    expect(mainThread([title, ...calls], edges)).toBe("root");
    const helper = { ...title, kind: "title" };
    expect(readAgents([helper, ...calls], edges).roots).toEqual(["root", "title"]);
    expect(mainThread([], [])).toBeNull();
  });
});

describe("helper calls", () => {
  it("are left out until they are asked for, unless there is nothing else", () => {
    const calls = [callRow("1"), callRow("2", { thread_id: "title", kind: "title" })];
    expect(hideHelpers(calls, [])).toMatchObject({ helpers: 1, calls: [calls[0]] });
    expect(hideHelpers(calls, ["helpers"]).calls).toHaveLength(2);
    expect(hideHelpers([calls[1] as CallRow], [])).toMatchObject({ helpers: 0 });
  });
});

describe("the timeline", () => {
  it("puts calls that ran at once on lines of their own", () => {
    const calls = [
      callRow("1", { duration_ms: 1000, tool_names: ["ls"] }),
      callRow("2", { created_at: at(0.5), duration_ms: 1000 }),
      callRow("3", { created_at: at(3), status: "running", duration_ms: null, ttft_ms: null }),
    ];
    const picture = readLanes(
      readAgents(calls, []),
      Date.parse(at(5)),
      new Map([["3", { chars: 1, since: at(4), kind: "text", tail: "x" }]]),
    );
    const bars = picture.lanes[0]?.bars ?? [];
    expect(bars.map((bar) => bar.line)).toEqual([0, 1, 0]);
    expect(bars.map((bar) => bar.to)).toEqual([1000, 1500, 5000]);
    expect(bars.map((bar) => bar.token)).toEqual([200, 700, 4000]);
    expect(picture.lengthMs).toBe(5000);
  });
});
