// A column being filled from top to bottom: nodes below each other, and rows of blocks side by side.
import type { Agent } from "../trace/agents";
import type { ToolGroup } from "../trace/tools";
import type { CallRow } from "../types.gen";
import { arrange, type Extent, extentOf, type Pins } from "./arrange";
import type { Lane, Node } from "./node";

const SIDE_GAP_PX = 22;
const LANE_PX = 8;
export const TOOL_RY = 18;

/** A thread and all below it, relative to its own circle's centre (x) and top (y). */
export interface Block extends Extent {
  readonly height: number;
  readonly nodes: readonly Node[];
  readonly lanes: readonly (readonly [string, Lane])[];
}

export type Item = { readonly extent: Extent; readonly block: Block | null; readonly tool: ToolGroup | null };

/** Who stands above a row, and where its widths and places are kept. */
export interface Under {
  readonly owner: string;
  readonly agent: Agent | null;
  readonly call: CallRow | null;
}

export interface Places {
  readonly before: Pins;
  readonly after: Map<string, number>;
}

/** Spelt out: a spread of thousands of nodes is felt. */
function moved({ id, kind, x, y, rx, ry, agent, call, name, times, spans }: Node, dx: number, dy: number): Node {
  return { id, kind, x: x + dx, y: y + dy, rx, ry, agent, call, name, times, spans };
}

export function asItem(block: Block): Item {
  return { extent: block, block, tool: null };
}

export function laneItem(owner: string, row: number): Item {
  return { extent: { id: `lane:${owner}:${row}`, left: LANE_PX, right: LANE_PX }, block: null, tool: null };
}

export class Stack {
  readonly nodes: Node[] = [];
  readonly lanes: (readonly [string, Lane])[] = [];
  left = 0;
  right = 0;
  y: number;

  constructor(y: number) {
    this.y = y;
  }

  skip(px: number): void {
    this.y += px;
  }

  widen(left: number, right: number): void {
    this.left = Math.max(this.left, left);
    this.right = Math.max(this.right, right);
  }

  node(node: Omit<Node, "x" | "y">): void {
    this.nodes.push({ ...node, x: 0, y: this.y + node.ry });
    this.widen(node.rx, node.rx);
    this.y += 2 * node.ry;
  }

  absorb(other: Stack): void {
    this.nodes.push(...other.nodes);
    this.lanes.push(...other.lanes);
    this.widen(other.left, other.right);
    this.y = other.y;
  }

  row(items: readonly Item[], places: Places, under: Under): void {
    const extents = items.map((item) => item.extent);
    // What leads through a row stays straight below what it comes from.
    const lane = items.find((item) => !item.block && !item.tool);
    const at = arrange(extents, places.before, SIDE_GAP_PX, lane?.extent.id);
    const top = this.y;
    let bottom = top;
    for (const { block, tool, extent } of items) {
      const dx = at.get(extent.id) ?? 0;
      places.after.set(extent.id, dx);
      if (block) {
        for (const node of block.nodes) this.nodes.push(moved(node, dx, top));
        for (const [id, lane] of block.lanes) this.lanes.push([id, { x: lane.x + dx, top: lane.top + top, bottom: lane.bottom + top }]);
        bottom = Math.max(bottom, top + block.height);
      } else if (tool && under.agent) {
        this.nodes.push({
          id: extent.id,
          kind: "tool",
          x: dx,
          y: top + TOOL_RY,
          rx: extent.left,
          ry: TOOL_RY,
          agent: under.agent,
          call: under.call,
          name: tool.name,
          times: tool.times,
          spans: tool.spans,
        });
        bottom = Math.max(bottom, top + 2 * TOOL_RY);
      }
    }
    if (lane) this.lanes.push([under.owner, { x: at.get(lane.extent.id) ?? 0, top, bottom }]);
    const { left, right } = extentOf(extents, at);
    this.widen(left, right);
    this.y = bottom;
  }
}
