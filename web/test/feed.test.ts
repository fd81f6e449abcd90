import { describe, expect, it } from "vitest";
import { Feed, type FeedState, SILENCE_MS, type Socket } from "../src/state/feed";
import type { LiveEvent, LiveMessage } from "../src/types.gen";
import { traceEvent, traceRow } from "./rows";

/** A world whose time, sockets and frames are moved by hand. */
class World {
  readonly sockets: (Socket & { after: number; isClosed: boolean })[] = [];
  readonly told: LiveEvent[][] = [];
  readonly states: FeedState[] = [];
  resets = 0;
  time = 0;
  #soon: (() => void)[] = [];
  #later: { at: number; task: () => void }[] = [];
  readonly feed = new Feed(
    {
      open: (after) => {
        const socket = { after, isClosed: false, onmessage: null, onclose: null, close: () => undefined } as World["sockets"][number];
        socket.close = () => {
          socket.isClosed = true;
        };
        this.sockets.push(socket);
        return socket;
      },
      soon: (task) => this.#soon.push(task),
      later: (task, ms) => {
        const entry = { at: this.time + ms, task };
        this.#later.push(entry);
        return () => this.#later.splice(0, this.#later.length, ...this.#later.filter((each) => each !== entry));
      },
      now: () => this.time,
      random: () => 0.5,
    },
    {
      events: (items) => this.told.push([...items]),
      reset: () => {
        this.resets += 1;
      },
      state: (state) => this.states.push(state),
    },
  );

  get socket() {
    return this.sockets.at(-1) as World["sockets"][number];
  }

  say(message: LiveMessage): void {
    this.socket.onmessage?.({ data: JSON.stringify(message) });
  }

  events(...seqs: number[]): void {
    this.say({ type: "events", items: seqs.map((seq) => traceEvent(seq, traceRow(`t${seq}`))) });
  }

  frame(): void {
    for (const task of this.#soon.splice(0)) task();
  }

  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.#later.filter((each) => each.at <= end).sort((left, right) => left.at - right.at)[0];
      if (!next) break;
      this.#later.splice(this.#later.indexOf(next), 1);
      this.time = next.at;
      next.task();
    }
    this.time = end;
  }

  get seqs(): number[] {
    return this.told.flat().map((event) => event.seq);
  }
}

describe("the feed", () => {
  it("begins after the snapshot and tells a burst once per frame", () => {
    const world = new World();
    world.feed.start(7);
    expect(world.socket.after).toBe(7);
    world.say({ type: "hello", floor: 0, last: 9 });
    expect(world.states).toEqual([{ kind: "live" }]);
    world.events(8, 9);
    world.events(12);
    expect(world.told).toEqual([]);
    world.frame();
    expect(world.told.map((items) => items.map((item) => item.seq))).toEqual([[8, 9, 12]]);
  });

  it("resumes after the last event it told, and tells none twice", () => {
    const world = new World();
    world.feed.start(0);
    world.events(1, 2);
    world.frame();
    world.events(3);
    world.socket.onclose?.();
    world.pass(1000);
    expect(world.sockets).toHaveLength(2);
    expect(world.socket.after).toBe(2);
    world.events(3, 4);
    world.frame();
    expect(world.seqs).toEqual([1, 2, 3, 4]);
  });

  it("ignores what an old socket still says", () => {
    const world = new World();
    world.feed.start(0);
    const old = world.socket;
    old.onclose?.();
    world.pass(1000);
    old.onmessage?.({ data: JSON.stringify({ type: "events", items: [traceEvent(5, traceRow("x"))] }) });
    world.frame();
    expect(world.seqs).toEqual([]);
  });

  it("waits longer after each failure, and briefly again once it was live", () => {
    const world = new World();
    world.feed.start(0);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      world.socket.onclose?.();
      const state = world.states.at(-1);
      waits.push(state?.kind === "reconnecting" ? state.at - world.time : Number.NaN);
      world.pass(20_000);
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
    world.say({ type: "hello", floor: 0, last: 0 });
    world.socket.onclose?.();
    expect(world.states.at(-1)).toEqual({ kind: "reconnecting", attempt: 1, at: world.time + 250 });
  });

  it("after a reset goes on from what the server named", () => {
    const world = new World();
    world.feed.start(50);
    world.events(51);
    world.say({ type: "reset", floor: 2, last: 9 });
    expect(world.resets).toBe(1);
    world.events(10);
    world.frame();
    expect(world.seqs).toEqual([10]);
    expect(world.feed.seq).toBe(10);
  });

  it("drops a connection that fell silent", () => {
    const world = new World();
    world.feed.start(0);
    world.say({ type: "hello", floor: 0, last: 0 });
    world.pass(SILENCE_MS - 1000);
    world.say({ type: "ping", last: 0 });
    world.pass(SILENCE_MS - 1000);
    expect(world.socket.isClosed).toBe(false);
    const first = world.socket;
    world.pass(SILENCE_MS);
    expect(first.isClosed).toBe(true);
    expect(world.sockets.length).toBe(2);
  });

  it("hurries when the machine wakes up", () => {
    const world = new World();
    world.feed.start(0);
    world.socket.onclose?.();
    world.feed.hurry();
    expect(world.sockets).toHaveLength(2);
    world.feed.stop();
    expect(world.socket.isClosed).toBe(true);
  });
});
