import { describe, expect, it } from "vitest";
import { compare, wordDiff } from "../src/lib/compare";
import { diff } from "../src/lib/myers";
import { previousTurn } from "../src/state/turns";
import { at, callDetail, callRow, edgeRow, part, said } from "./rows";

/** A small generator with a seed: the same numbers in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

describe("the edit script", () => {
  it("rebuilds both sides, whatever they are", () => {
    const next = random(7);
    for (let round = 0; round < 400; round += 1) {
      const make = () => Array.from({ length: Math.floor(next() * 14) }, () => "abcd"[Math.floor(next() * 4)] ?? "a");
      const before = make();
      const after = make();
      const edits = diff(before, after, (left, right) => left === right);
      expect(edits.flatMap((edit) => (edit.kind === "added" ? [] : [edit.before]))).toEqual(before);
      expect(edits.flatMap((edit) => (edit.kind === "removed" ? [] : [edit.after]))).toEqual(after);
      expect(edits.every((edit) => edit.kind !== "same" || edit.before === edit.after)).toBe(true);
    }
  });

  it("is the shortest", () => {
    const edits = diff([..."abcabba"], [..."cbabac"], (left, right) => left === right);
    expect(edits.filter((edit) => edit.kind !== "same")).toHaveLength(5);
  });

  it("gives up on texts that have nothing in common instead of taking forever", { timeout: 30_000 }, () => {
    const edits = wordDiff("a ".repeat(20_000), "b ".repeat(20_000));
    expect(edits.length).toBeGreaterThan(0);
  });

  it("speaks in words", () => {
    expect(wordDiff("wait two seconds", "wait three seconds")).toEqual([
      { kind: "same", text: "wait " },
      { kind: "removed", text: "two" },
      { kind: "added", text: "three" },
      { kind: "same", text: " seconds" },
    ]);
  });
});

describe("a turn against the one before", () => {
  const row = callRow("1");
  const before = callDetail(row, {
    messages: [said("user", "hi")],
    answers: [said("assistant", "hello", "")],
    params: '{"max_tokens":10,"temperature":1.0}',
    tools: ['{"name":"read"}'],
  });

  it("that only goes on keeps the beginning", () => {
    const after = callDetail(callRow("2"), {
      ...before,
      call: callRow("2"),
      messages: [said("user", "hi"), said("assistant", "hello", "other node"), said("user", "more")],
    });
    const found = compare(before, after);
    expect(found.breaksAt).toBeNull();
    expect(found.params).toEqual([]);
    expect(found.messages.map((change) => (change.kind === "added" ? ["added", change.isAnswer] : [change.kind]))).toEqual([
      ["same"],
      ["added", true],
      ["added", false],
    ]);
  });

  it("names the first place that changed, in the order a cache reads", () => {
    const same = { ...before, call: callRow("2") };
    expect(compare(before, { ...same, messages: [said("user", "hi there")] }).breaksAt).toBe("message 1");
    expect(compare(before, { ...same, system: [said("system", "x")] }).breaksAt).toBe("the system prompt");
    expect(compare(before, { ...same, tools: [] }).breaksAt).toBe("the tools");
    expect(compare(before, { ...same, call: callRow("2", { model: "other" }) }).breaksAt).toBe("the model");
    expect(compare(before, { ...same, params: '{"max_tokens":10,"temperature":0.5}' }).params).toEqual([
      { name: "temperature", before: "1.0", after: "0.5" },
    ]);
  });

  it("takes moved cache marks and white space for the same message", () => {
    const spelt = { role: "user", node: "another", parts: [part("text", "hi\n", { raw: '{"cache_control":{}}' })] };
    expect(compare(before, { ...before, messages: [spelt] }).messages).toEqual([{ kind: "same", count: 1, messages: [spelt] }]);
  });

  it("pairs a removed with an added message of the same role", () => {
    const found = compare(before, { ...before, messages: [said("user", "bye")] });
    expect(found.messages.map((change) => change.kind)).toEqual(["changed"]);
  });

  it("is found by its edge, else by its place in the thread", () => {
    const calls = [1, 2, 3].map((number) => callRow(String(number), { created_at: at(number) }));
    const third = calls[2] as (typeof calls)[0];
    expect(previousTurn(third, calls, [])?.call_id).toBe("2");
    expect(previousTurn(third, calls, [edgeRow("1", "3", "request")])?.call_id).toBe("1");
    expect(previousTurn(calls[0] as (typeof calls)[0], calls, [])).toBeNull();
  });
});
