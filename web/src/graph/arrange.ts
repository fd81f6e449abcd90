// Side by side: things of known width in one row. What has been placed keeps its place and is pushed right only when a
// neighbour grew; what is new comes last. A row that holds nothing placed yet is centred on 0, by its middle or by `centre`.

export interface Extent {
  readonly id: string;
  /** Room needed left and right of its anchor, both positive. */
  readonly left: number;
  readonly right: number;
}

/** Anchors of earlier layouts, relative to the parent's. */
export type Pins = ReadonlyMap<string, number>;

export function arrange(items: readonly Extent[], pins: Pins, gap: number, centre?: string): ReadonlyMap<string, number> {
  const only = items.length === 1 ? items[0] : undefined;
  if (only) return new Map([[only.id, pins.get(only.id) ?? 0]]);
  const placed = items.filter((item) => pins.has(item.id)).sort((left, right) => (pins.get(left.id) ?? 0) - (pins.get(right.id) ?? 0));
  const fresh = items.filter((item) => !pins.has(item.id));
  const at = new Map<string, number>();
  let edge = Number.NEGATIVE_INFINITY;
  for (const item of [...placed, ...fresh]) {
    const free = edge === Number.NEGATIVE_INFINITY ? 0 : edge + gap + item.left;
    const pinned = pins.get(item.id);
    const x = pinned === undefined ? free : edge === Number.NEGATIVE_INFINITY ? pinned : Math.max(pinned, free);
    at.set(item.id, x);
    edge = x + item.right;
  }
  if (placed.length > 0 || items.length === 0) return at;
  const first = at.get(items[0]?.id ?? "") ?? 0;
  const last = at.get(items.at(-1)?.id ?? "") ?? 0;
  const middle = centre === undefined ? (first + last) / 2 : (at.get(centre) ?? 0);
  return new Map([...at].map(([id, x]) => [id, x - middle]));
}

export function extentOf(items: readonly Extent[], at: ReadonlyMap<string, number>): { left: number; right: number } {
  let left = 0;
  let right = 0;
  for (const item of items) {
    const x = at.get(item.id) ?? 0;
    left = Math.max(left, item.left - x);
    right = Math.max(right, item.right + x);
  }
  return { left, right };
}
