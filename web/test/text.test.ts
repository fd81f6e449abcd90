import { describe, expect, it } from "vitest";
import { foldPoint } from "../src/detail/Folded";
import { fromBase64, hexDump } from "../src/detail/hex";
import { imageUrl } from "../src/detail/image";
import { age, bytes, compact, cost, costSum, cut, duration, instant, tickWord, tokens, usd } from "../src/lib/format";
import { inkJson, layOut, members } from "../src/lib/json";
import { type Block, type Inline, parseBlocks, parseInline } from "../src/lib/markdown";
import { parseSearch, searchParams, sinceTime } from "../src/lib/search";
import { hasTitle, traceTitle } from "../src/lib/title";
import { visible } from "../src/lib/visible";
import { HOME, hrefOf, parsePlace } from "../src/state/route";
import { traceRow } from "./rows";

describe("numbers", () => {
  it("carry their unit", () => {
    expect([0.2, 842, 1240, 12_400, 184_000, 7_500_000].map(duration)).toEqual([
      "<1 ms",
      "842 ms",
      "1.24 s",
      "12.4 s",
      "3 m 04 s",
      "2 h 05 m",
    ]);
    expect([999.7, 9_996, 59_960, 3_599_900].map(duration)).toEqual(["1.00 s", "10.0 s", "1 m 00 s", "1 h 00 m"]);
    expect([950, 1200, 41_200, 412_300, 1_930_000].map(compact)).toEqual(["950", "1.2k", "41.2k", "412k", "1.93M"]);
    expect([0, 512, 2048, 1_048_576, 5_368_709_120].map(bytes)).toEqual(["0 B", "512 B", "2.0 KB", "1.0 MB", "5.0 GB"]);
    expect([0, 250, 2500, 90_000].map(tickWord)).toEqual(["0 s", "250 ms", "2.5 s", "1 m 30 s"]);
    expect(tokens(null)).toBe("–");
  });

  it("never call unpriced free", () => {
    expect(cost(null)).toBe("unpriced");
    expect(costSum(null, 3)).toBe("unpriced");
    expect(costSum(0, 2)).toBe("unpriced");
    expect(costSum(0.5, 1)).toBe("$0.500 + 1 unpriced");
    expect(costSum(null, 0)).toBe("–");
    expect([0, 0.00002, 0.0042, 0.42, 1234.5].map(usd)).toEqual(["$0", "<$0.0001", "$0.0042", "$0.420", "$1,234.50"]);
  });

  it("keep microseconds of a time", () => {
    expect(instant("2026-11-22T09:30:00.123456Z") - instant("2026-11-22T09:30:00.123000Z")).toBeCloseTo(0.456, 3);
    expect(age("2026-11-22T09:30:00.000000Z", Date.parse("2026-11-22T12:29:00Z"))).toBe("2 h");
  });
});

describe("a search", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");

  it("is words and filters", () => {
    const search = parseSearch('rate limit model:gpt-5.1 agent:"module agent" has:error cost:>0.5 since:2h http://x', now);
    expect(search).toMatchObject({
      text: "rate limit http://x",
      model: "gpt-5.1",
      agent: "module agent",
      error: true,
      minCost: 0.5,
      complaints: [],
    });
    expect(searchParams(search).toString()).toBe(
      "q=rate+limit+http%3A%2F%2Fx&model=gpt-5.1&agent=module+agent&since=2026-11-22T10%3A00%3A00.000Z&error=1&min_cost=0.5",
    );
  });

  it("says what it cannot use, and nothing about what is still being typed", () => {
    expect(parseSearch("status:done has:x since:soon cost:5", now).complaints).toHaveLength(4);
    expect(parseSearch("status: model: has:", now)).toMatchObject({ text: "", complaints: [] });
    expect(sinceTime("2026-11-20", now)).toBe("2026-11-20T00:00:00.000Z");
  });
});

describe("the address", () => {
  it("says everything and is read back as it was", () => {
    const place = {
      ...HOME,
      trace: "a/b ü<>",
      call: "01J&?",
      view: "table" as const,
      tab: "raw" as const,
      search: "x y",
      open: ["*", "-t/1"],
    };
    expect(parsePlace(new URL(hrefOf(place), "http://h"))).toEqual(place);
    expect(hrefOf(HOME)).toBe("/");
  });

  it("survives nonsense", () => {
    expect(parsePlace(new URL("http://h/traces/%E0%A4%A?view=pie&tab=x"))).toMatchObject({ trace: "%E0%A4%A", view: "graph", tab: null });
    expect(parsePlace(new URL("http://h/calls/abc"))).toMatchObject({ trace: null, lone: "abc" });
  });
});

describe("hostile text", () => {
  it("shows what would hide or reorder", () => {
    expect(visible("a\u001b[31mb\u202egnp\u0000")).toBe("a⟨U+001B⟩[31mb⟨U+202E⟩gnp⟨U+0000⟩");
    expect(visible("tab\tline\r\nend")).toBe("tab\tline\nend");
  });

  it("is never cut inside a character", () => {
    expect(cut("ab😀cd", 3)).toBe("ab…");
  });

  it("gives no image that would be fetched", () => {
    expect(imageUrl('{"source":{"type":"url","url":"https://x/y.png"}}')).toBeNull();
    expect(imageUrl('{"source":{"type":"base64","media_type":"image/svg+xml","data":"AA=="}}')).toBeNull();
    expect(imageUrl('{"source":{"type":"base64","media_type":"image/png","data":"AA=="}}')).toBe("data:image/png;base64,AA==");
    expect(imageUrl('{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}')).toBe("data:image/png;base64,AA==");
    expect(imageUrl('{"image_url":{"url":"data:image/png;base64,\\"><script>"}}')).toBeNull();
    expect(imageUrl("no json")).toBeNull();
  });
});

describe("markdown", () => {
  const text = (parts: readonly Inline[]): string => parts.map((each) => ("inner" in each ? text(each.inner) : each.text)).join("");

  it("becomes blocks", () => {
    const kinds = parseBlocks(
      "# T\n\npara\nmore\n\n- a\n  - b\n- c\n\n1. x\n\n> q\n\n---\n\n```py\ncode\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    ).map((block) => block.kind);
    expect(kinds).toEqual(["heading", "paragraph", "list", "list", "quote", "rule", "code", "table"]);
  });

  it("keeps an unclosed fence as code while it is streamed", () => {
    expect(parseBlocks("```py\ndef f():")).toEqual([{ kind: "code", language: "py", text: "def f():" }] satisfies Block[]);
  });

  it("links http only", () => {
    const kinds = (source: string) => parseInline(source).map((each) => each.kind);
    expect(kinds("[a](https://x.y)")).toEqual(["link"]);
    for (const bad of ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "/api/x", "JaVaScRiPt:x"]) {
      expect(kinds(`[a](${bad})`)).not.toContain("link");
    }
    expect(text(parseInline("a **b** `c` *d* <b>e</b>"))).toBe("a b c d <b>e</b>");
    expect(parseInline("![x](https://x.y/z.png)").map((each) => each.kind)).toEqual(["link"]);
  });

  // Not timed: a pattern that backtracks without bound would not end before the runner's deadline.
  it("costs no more than its length allows", { timeout: 30_000 }, () => {
    const hostile = ["`", "**a ", "[", "[a](", "_a", "> ", "- ", "#", "| - ", "  ", "~~~\n", "*", "http://"];
    for (const piece of hostile) {
      for (const block of parseBlocks(piece.repeat(60_000 / piece.length))) if (block.kind === "paragraph") parseInline(block.text);
      expect(parseBlocks(`${piece.repeat(400)}\n`.repeat(30))).toBeDefined();
    }
  });
});

describe("JSON", () => {
  it("is laid out without changing a value", () => {
    const source = '{"a":[1.0,1e3,"x\\"}{"],"b":{},"c":[],"d":null}';
    expect(layOut(source)).toBe('{\n  "a": [\n    1.0,\n    1e3,\n    "x\\"}{"\n  ],\n  "b": {},\n  "c": [],\n  "d": null\n}');
    expect(layOut("{broken")).toBeNull();
    const ink = inkJson('{"a": -1, "b": true}');
    expect(ink.map((piece) => piece.text).join("")).toBe('{"a": -1, "b": true}');
    expect(ink.filter((piece) => piece.ink === "key").map((piece) => piece.text)).toEqual(['"a"', '"b"']);
  });

  it("gives its members as they are written", () => {
    expect(members('{"t": 1.0, "s": {"x": [1, 2]}, "n": "a,b:{", "e": []}')).toEqual([
      ["t", "1.0"],
      ["s", '{"x": [1, 2]}'],
      ["n", '"a,b:{"'],
      ["e", "[]"],
    ]);
    expect(members("[1]")).toEqual([]);
    expect(members("{}")).toEqual([]);
  });
});

describe("bytes and long texts", () => {
  it("are dumped sixteen to a line", () => {
    expect(hexDump(fromBase64(btoa("GET / HTTP/1.1\r\n!")), 100)).toBe(
      "00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1··\n" +
        "00000010  21                                                !",
    );
  });

  it("fold when that saves something", () => {
    expect(foldPoint("x".repeat(100), 100)).toBeNull();
    expect(foldPoint("x".repeat(200), 100)).toBe(100);
    expect(foldPoint("a\n".repeat(60), 1000, 10)).toBe(19);
  });
});

describe("what a trace is called", () => {
  it("is its name, else its task, on one line", () => {
    expect(traceTitle(traceRow("t", { name: "nightly", task_description: "Add a login page" }))).toBe("nightly");
    expect(traceTitle(traceRow("t", { task_description: "Add\na page" }))).toBe("Add a page");
  });
  it("says whether a title is missing or there is nothing to have one", () => {
    const bare = { name: null, task_description: null };
    expect([1, 0].map((agents) => traceTitle(traceRow("t", { ...bare, agent_count: agents })))).toEqual(["untitled", "no conversation"]);
    expect([hasTitle(traceRow("t", bare)), hasTitle(traceRow("t"))]).toEqual([false, true]);
  });
});
