import { describe, expect, it } from "vitest";
import { Finds, merged, nearHit } from "../src/state/finds";
import type { CallPage, Snippet } from "../src/types.gen";
import { callRow } from "./rows";

const line = (word: string): Snippet => ({ where: "answer", pieces: [["before ", false], [word, true]] });
const page = (more: Partial<CallPage>): CallPage => ({ items: [], next_cursor: null, seq: 0, snippets: [], ...more });

describe("where the words stand", () => {
  it("is told of the newest call of each trace, and how many there are", () => {
    const items = [callRow("3", { trace_id: "a" }), callRow("2", { trace_id: "a" }), callRow("1", { trace_id: "b" })];
    const found = merged(new Map(), page({ items, snippets: [line("three"), line("two"), null] }));
    expect([...found]).toEqual([["a", { callId: items[0]?.call_id, snippet: line("three"), calls: 2 }]]);
  });

  it("is shown from shortly before the first hit", () => {
    const long: Snippet = { where: "prompt", pieces: [["a long way to the words ", false], ["here", true], [" and on", false]] };
    expect(nearHit(long)).toEqual([
      ["… to the words ", false],
      ["here", true],
      [" and on", false],
    ]);
    expect(nearHit(line("x"))).toEqual(line("x").pieces);
  });

  it("is asked by the words alone, page by page, and not at all without words", async () => {
    const asked: string[] = [];
    const finds = new Finds(async (params) => {
      asked.push(params.toString());
      return page({ next_cursor: asked.length === 1 ? "more" : null, items: [callRow("1", { trace_id: "a" })], snippets: [line("x")] });
    });
    await finds.look("model:gpt has:error");
    expect(asked).toEqual([]);
    await finds.look("zebra model:gpt");
    expect(asked).toEqual(["q=zebra&limit=200", "q=zebra&limit=200&cursor=more"]);
    expect(finds.found.value.get("a")?.calls).toBe(2);
    await finds.look("");
    expect(finds.found.value.size).toBe(0);
  });
});
