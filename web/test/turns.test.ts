import { describe, expect, it } from "vitest";
import { previousTurn } from "../src/state/turns";
import { ownFrom } from "../src/trace/Conversation";
import { at, callDetail, callRow, edgeRow, said } from "./rows";

describe("the turn before", () => {
  it("is found by its edge, else by its place in the thread", () => {
    const calls = [1, 2, 3].map((number) => callRow(String(number), { created_at: at(number) }));
    const third = calls[2] as (typeof calls)[0];
    expect(previousTurn(third, calls, [])?.call_id).toBe("2");
    expect(previousTurn(third, calls, [edgeRow("1", "3", "request")])?.call_id).toBe("1");
    expect(previousTurn(calls[0] as (typeof calls)[0], calls, [])).toBeNull();
  });

  it("ends where its answer is sent back", () => {
    const messages = [said("user", "hi"), said("assistant", "hello"), said("user", "more"), said("user", "and more")];
    expect(ownFrom(callDetail(callRow("2"), { messages, new_from: 2 }))).toBe(1);
    expect(ownFrom(callDetail(callRow("2"), { messages, new_from: 0 }))).toBe(0);
  });
});
