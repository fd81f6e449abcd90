// The part of the graph that is in sight, as SVG.
import { costSum } from "../lib/format";
import type { Growth } from "../state/trace";
import type { Layout, Node } from "./node";
import { NodeShape } from "./shapes";
import { SURE, type Wire, type WireKind } from "./wires";

export interface Sight {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export function isNodeIn(node: Node, sight: Sight): boolean {
  const label = node.kind === "agent" ? 140 : 0;
  return (
    node.x + node.rx + label > sight.left &&
    node.x - node.rx < sight.right &&
    node.y + node.ry > sight.top &&
    node.y - node.ry < sight.bottom
  );
}

function isWireIn({ from, to }: Wire, sight: Sight): boolean {
  return (
    Math.max(from.x, to.x) > sight.left - 60 &&
    Math.min(from.x, to.x) < sight.right + 60 &&
    Math.max(from.y, to.y) > sight.top &&
    Math.min(from.y, to.y) < sight.bottom
  );
}

function wireClass(wire: Wire, lit: ReadonlySet<string> | null): string {
  const isUnsure = wire.edge !== null && wire.edge.confidence < SURE;
  return `wire wire-${wire.kind}${isUnsure ? " is-unsure" : ""}${lit === null ? "" : lit.has(wire.id) ? " is-lit" : " is-dim"}`;
}

function delegationLabel(wire: Wire): string {
  const sums = wire.totals;
  const parts = sums && sums.usd !== null ? [costSum(sums.usd, 0)] : [];
  if (wire.edge && wire.edge.confidence < 1) parts.push(`${Math.round(wire.edge.confidence * 100)} %`);
  return parts.join(" · ");
}

/** From the lowest to the highest: where two run side by side, the pointer finds the delegation. */
const ORDER: readonly WireKind[] = ["own", "response", "request", "delegation"];

interface Props {
  readonly layout: Layout;
  readonly wires: readonly Wire[];
  readonly sight: Sight;
  readonly lit: ReadonlySet<string> | null;
  readonly selected: string | null;
  readonly nowMs: number;
  readonly growth: ReadonlyMap<string, Growth>;
  readonly isOpen: (threadId: string) => boolean;
}

export function Scene({ layout, wires, sight, lit, selected, nowMs, growth, isOpen }: Props) {
  const seen = wires.filter((wire) => isWireIn(wire, sight)).sort((left, right) => ORDER.indexOf(left.kind) - ORDER.indexOf(right.kind));
  return (
    <>
      {seen.map((wire) => (
        <g key={wire.id} class={wireClass(wire, lit)} data-wire={wire.id}>
          <path class="wire-hit" d={wire.path} />
          <path class="wire-line" d={wire.path} marker-end={wire.kind === "own" ? undefined : `url(#tip-${wire.kind})`} />
        </g>
      ))}
      {seen
        .filter((wire) => wire.kind === "delegation")
        .map((wire) => (
          <text
            key={wire.id}
            class={`wire-label${lit !== null && !lit.has(wire.id) ? " is-dim" : ""}`}
            x={wire.label.x}
            y={wire.label.y}
            text-anchor={wire.label.isLeft ? "end" : "start"}
          >
            {delegationLabel(wire)}
          </text>
        ))}
      {layout.nodes
        .filter((node) => isNodeIn(node, sight))
        .map((node) => (
          <NodeShape
            key={node.id}
            node={node}
            nowMs={nowMs}
            growth={node.call ? growth.get(node.call.call_id) : undefined}
            isSelected={node.id === selected}
            isLit={lit?.has(node.id) ?? false}
            isDim={lit !== null && !lit.has(node.id)}
            isOpen={isOpen(node.agent.threadId)}
          />
        ))}
    </>
  );
}

export function Tips() {
  return (
    <defs>
      {["request", "response", "delegation"].map((kind) => (
        <marker
          key={kind}
          id={`tip-${kind}`}
          class={`tip tip-${kind}`}
          viewBox="0 0 8 8"
          refX="6.5"
          refY="4"
          markerWidth="7"
          markerHeight="7"
          markerUnits="userSpaceOnUse"
          orient="auto"
        >
          <path d="M0.5 0.8 7 4 0.5 7.2z" />
        </marker>
      ))}
    </defs>
  );
}
