// A snapshot and the events after it make one truth: what arrives while the snapshot is on its way waits, what the snapshot
// already contains is dropped.
import type { LiveEvent } from "../types.gen";

export class Snapshot {
  #seq = -1;
  #waiting: LiveEvent[] | null = null;
  #turn = 0;

  /** A fetch begins; the number it returns says later whether this fetch is still the one that counts. */
  begin(): number {
    this.#waiting = [];
    this.#turn += 1;
    return this.#turn;
  }

  isCurrent(turn: number): boolean {
    return turn === this.#turn;
  }

  /** The fetch came back with everything up to `seq`: returns the events to apply on top of it. */
  land(seq: number): readonly LiveEvent[] {
    this.#seq = seq;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    return waiting.filter((event) => event.seq > seq);
  }

  /** The fetch failed: the old truth stays; returns the events that had waited. */
  fail(): readonly LiveEvent[] {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    return this.#seq < 0 ? [] : waiting.filter((event) => event.seq > this.#seq);
  }

  /** Events came: returns those to apply now. */
  take(events: readonly LiveEvent[]): readonly LiveEvent[] {
    if (this.#waiting) {
      this.#waiting.push(...events);
      return [];
    }
    return this.#seq < 0 ? [] : events.filter((event) => event.seq > this.#seq);
  }

  /** Nothing is shown any more. */
  clear(): void {
    this.#turn += 1;
    this.#seq = -1;
    this.#waiting = null;
  }
}
