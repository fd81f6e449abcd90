// Arrow keys: up and down along the edges, left and right among what stands beside. Tools and answers are passed over; with Shift, tools
// are stopped at.
import type { Layout, Node } from "./node";
import type { Wire } from "./wires";

type Stops = (node: Node) => boolean;

const isMain: Stops = (node) => node.kind === "agent" || node.kind === "call";
const isAny: Stops = (node) => node.kind !== "answer";

function nearest(from: Node, nodes: readonly Node[]): Node | null {
  let best: Node | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const node of nodes) {
    const distance = Math.hypot(node.x - from.x, (node.y - from.y) / 2);
    if (distance < least) {
      least = distance;
      best = node;
    }
  }
  return best;
}

/** Nodes one edge away, passing over what is no stop. */
function along(from: Node, wires: readonly Wire[], isDown: boolean, isStop: Stops): readonly Node[] {
  const found: Node[] = [];
  const seen = new Set<string>([from.id]);
  const waiting = [from.id];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const wire of wires) {
      if (wire.kind === "response" || (isDown ? wire.from.id : wire.to.id) !== id) continue;
      const next = isDown ? wire.to : wire.from;
      if (seen.has(next.id)) continue;
      seen.add(next.id);
      if (isStop(next)) found.push(next);
      else waiting.push(next.id);
    }
  }
  return found;
}

export function step(from: Node | null, key: string, layout: Layout, wires: readonly Wire[], withTools = false): Node | null {
  const isStop = withTools ? isAny : isMain;
  if (!from) return layout.nodes.find(isStop) ?? null;
  if (key === "ArrowDown" || key === "ArrowUp") {
    const isDown = key === "ArrowDown";
    const linked = nearest(from, along(from, wires, isDown, isStop));
    if (linked) return linked;
    return nearest(
      from,
      layout.nodes.filter((node) => isStop(node) && (isDown ? node.y > from.y + 1 : node.y < from.y - 1) && Math.abs(node.x - from.x) < 40),
    );
  }
  const way = key === "ArrowRight" ? 1 : -1;
  if (from.kind === "tool") {
    const tools = layout.nodes.filter((node) => node.kind === "tool" && node.call === from.call && (node.x - from.x) * way > 1);
    return nearest(from, tools);
  }
  const beside = layout.nodes.filter((node) => isStop(node) && (node.x - from.x) * way > 1);
  const sameRow = beside.filter((node) => Math.abs(node.y - from.y) < 40);
  return nearest(from, sameRow.length > 0 ? sameRow : beside);
}
