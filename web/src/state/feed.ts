// One WebSocket, resumed after the last number seen: every event is delivered once and in order, bursts once per frame.
import type { LiveEvent, LiveMessage } from "../types.gen";

export interface Socket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  close(): void;
}

/** The world the feed lives in; a test gives another. */
export interface Surroundings {
  open(after: number): Socket;
  /** Run soon, once: the next frame when the page is seen, a little later when it is not. */
  soon(task: () => void): void;
  later(task: () => void, ms: number): () => void;
  now(): number;
  random(): number;
}

export type FeedState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "reconnecting"; readonly attempt: number; readonly at: number };

export interface FeedListener {
  events(items: readonly LiveEvent[]): void;
  /** What was missed cannot be told: every snapshot must be fetched again. */
  reset(): void;
  state(state: FeedState): void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** The server pings more often than this; silence beyond it is a dead connection that nobody closed (sleep, cable). */
export const SILENCE_MS = 45_000;

export class Feed {
  /** Number of the last event delivered or known to be contained in a snapshot. */
  seq = 0;
  #socket: Socket | null = null;
  #queue: LiveEvent[] = [];
  #flushing = false;
  #attempt = 0;
  #cancelRetry: (() => void) | null = null;
  #cancelWatch: (() => void) | null = null;
  #heardAt = 0;
  readonly #around: Surroundings;
  readonly #listener: FeedListener;

  constructor(around: Surroundings, listener: FeedListener) {
    this.#around = around;
    this.#listener = listener;
  }

  /** Begin after a snapshot's number. */
  start(after: number): void {
    this.seq = Math.max(this.seq, after);
    this.#connect();
  }

  /** Try now instead of waiting: the machine woke up, the network is back. */
  hurry(): void {
    if (this.#socket === null && this.#cancelRetry) this.#connect();
    else if (this.#socket && this.#around.now() - this.#heardAt > SILENCE_MS) this.#drop();
  }

  stop(): void {
    this.#cancelRetry?.();
    this.#cancelWatch?.();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #connect(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    const socket = this.#around.open(this.seq);
    this.#socket = socket;
    this.#heardAt = this.#around.now();
    socket.onmessage = (event) => {
      if (this.#socket === socket) this.#hear(event.data);
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
    this.#watch();
  }

  #watch(): void {
    this.#cancelWatch?.();
    this.#cancelWatch = this.#around.later(() => {
      if (this.#around.now() - this.#heardAt > SILENCE_MS) this.#drop();
      else this.#watch();
    }, SILENCE_MS / 3);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#lost();
    socket?.close();
  }

  #lost(): void {
    this.#socket = null;
    this.#cancelWatch?.();
    this.#attempt += 1;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#attempt - 1)) * (0.75 + this.#around.random() / 2);
    this.#listener.state({ kind: "reconnecting", attempt: this.#attempt, at: this.#around.now() + wait });
    this.#cancelRetry?.();
    this.#cancelRetry = this.#around.later(() => this.#connect(), wait);
  }

  #hear(data: unknown): void {
    this.#heardAt = this.#around.now();
    const message = JSON.parse(String(data)) as LiveMessage;
    switch (message.type) {
      case "hello":
        this.#attempt = 0;
        this.#listener.state({ kind: "live" });
        return;
      case "events":
        for (const item of message.items) this.#queue.push(item);
        this.#flushSoon();
        return;
      case "reset":
        this.#queue = [];
        this.seq = message.last;
        this.#listener.reset();
        return;
      case "ping":
        return;
    }
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#around.soon(() => {
      this.#flushing = false;
      const fresh: LiveEvent[] = [];
      for (const item of this.#queue) {
        if (item.seq <= this.seq) continue;
        this.seq = item.seq;
        fresh.push(item);
      }
      this.#queue = [];
      if (fresh.length > 0) this.#listener.events(fresh);
    });
  }
}
