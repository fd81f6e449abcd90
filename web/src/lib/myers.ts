// Shortest edit script (E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986), given up beyond a bound.

export type Edit<T> =
  | { readonly kind: "same"; readonly before: T; readonly after: T }
  | { readonly kind: "removed"; readonly before: T }
  | { readonly kind: "added"; readonly after: T };

/** Differences searched for before the two are called altogether different: bounds time and memory to its square. */
const MOST_EDITS = 1200;

export function diff<T>(before: readonly T[], after: readonly T[], equal: (left: T, right: T) => boolean): readonly Edit<T>[] {
  let head = 0;
  while (head < before.length && head < after.length && equal(before[head] as T, after[head] as T)) head += 1;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && equal(before[before.length - 1 - tail] as T, after[after.length - 1 - tail] as T)) tail += 1;
  const edits: Edit<T>[] = [];
  for (let at = 0; at < head; at += 1) edits.push({ kind: "same", before: before[at] as T, after: after[at] as T });
  edits.push(...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail), equal));
  for (let at = tail; at > 0; at -= 1) {
    edits.push({ kind: "same", before: before[before.length - at] as T, after: after[after.length - at] as T });
  }
  return edits;
}

function middle<T>(before: readonly T[], after: readonly T[], equal: (left: T, right: T) => boolean): Edit<T>[] {
  const trace = search(before, after, equal);
  if (trace === null) {
    return [
      ...before.map((each): Edit<T> => ({ kind: "removed", before: each })),
      ...after.map((each): Edit<T> => ({ kind: "added", after: each })),
    ];
  }
  const edits: Edit<T>[] = [];
  let x = before.length;
  let y = after.length;
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const reach = trace[d] as Map<number, number>;
    const k = x - y;
    const isDown = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const fromK = isDown ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : (reach.get(fromK) ?? 0);
    const fromY = d === 0 ? 0 : fromX - fromK;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      edits.push({ kind: "same", before: before[x] as T, after: after[y] as T });
    }
    if (d === 0) break;
    if (isDown) edits.push({ kind: "added", after: after[fromY] as T });
    else edits.push({ kind: "removed", before: before[fromX] as T });
    x = fromX;
    y = fromY;
  }
  return edits.reverse();
}

/** For each number of edits, how far along `before` each diagonal reached before that edit; null beyond the bound. */
function search<T>(before: readonly T[], after: readonly T[], equal: (left: T, right: T) => boolean): Map<number, number>[] | null {
  const trace: Map<number, number>[] = [];
  const reach = new Map<number, number>([[1, 0]]);
  const bound = Math.min(before.length + after.length, MOST_EDITS);
  for (let d = 0; d <= bound; d += 1) {
    trace.push(new Map(reach));
    for (let k = -d; k <= d; k += 2) {
      const isDown = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = isDown ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < before.length && y < after.length && equal(before[x] as T, after[y] as T)) {
        x += 1;
        y += 1;
      }
      reach.set(k, x);
      if (x >= before.length && y >= after.length) return trace;
    }
  }
  return null;
}
