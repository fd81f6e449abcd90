// The picture without words, on a canvas: the minimap, and the whole graph when it is too large for SVG at this zoom.
import { fateOf } from "../trace/tools";
import type { Layout, Node } from "./node";
import type { Wire } from "./wires";

export interface Palette {
  readonly root: string;
  readonly agent: string;
  readonly call: string;
  readonly tool: string;
  readonly answer: string;
  readonly line: string;
  readonly delegation: string;
  readonly bad: string;
  readonly accent: string;
}

/** Colours as they are in this theme now: a canvas does not follow CSS by itself. */
export function readPalette(element: Element): Palette {
  const probe = document.createElement("i");
  element.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    root: read("root"),
    agent: read("agent"),
    call: read("call"),
    tool: read("tool"),
    answer: read("answer"),
    line: read("line-strong"),
    delegation: read("agent"),
    bad: read("bad"),
    accent: read("accent"),
  };
  probe.remove();
  return palette;
}

export interface Eye {
  readonly k: number;
  readonly x: number;
  readonly y: number;
}

export function drawOverview(
  canvas: HTMLCanvasElement,
  layout: Layout,
  wires: readonly Wire[],
  eye: Eye,
  palette: Palette,
  selected: string | null,
): void {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.setTransform(scale * eye.k, 0, 0, scale * eye.k, scale * eye.x, scale * eye.y);
  const left = -eye.x / eye.k;
  const top = -eye.y / eye.k;
  const right = left + width / eye.k;
  const bottom = top + height / eye.k;
  pen.lineWidth = Math.min(2, 0.8 / eye.k);
  for (const delegation of [false, true]) {
    pen.strokeStyle = delegation ? palette.delegation : palette.line;
    pen.beginPath();
    for (const wire of wires) {
      if ((wire.kind === "delegation") !== delegation || wire.kind === "response") continue;
      if (Math.max(wire.from.y, wire.to.y) < top || Math.min(wire.from.y, wire.to.y) > bottom) continue;
      pen.moveTo(wire.from.x, wire.from.y);
      pen.lineTo(wire.to.x, wire.to.y);
    }
    pen.stroke();
  }
  for (const node of layout.nodes) {
    if (node.x + node.rx < left || node.x - node.rx > right || node.y + node.ry < top || node.y - node.ry > bottom) continue;
    const isFailed = node.kind === "tool" ? fateOf(node.spans).failed > 0 : (node.call ?? node.agent).status === "failed";
    pen.fillStyle = isFailed
      ? palette.bad
      : node.kind === "agent"
        ? node.agent.parent === null
          ? palette.root
          : palette.agent
        : palette[node.kind];
    pen.beginPath();
    if (node.kind === "agent") pen.arc(node.x, node.y, node.rx, 0, 2 * Math.PI);
    else if (node.kind === "tool") hexagon(pen, node);
    else pen.rect(node.x - node.rx, node.y - node.ry, 2 * node.rx, 2 * node.ry);
    pen.fill();
    if (node.id !== selected) continue;
    pen.strokeStyle = palette.accent;
    pen.lineWidth = 3 / eye.k;
    pen.strokeRect(node.x - node.rx - 4 / eye.k, node.y - node.ry - 4 / eye.k, 2 * node.rx + 8 / eye.k, 2 * node.ry + 8 / eye.k);
  }
}

function hexagon(pen: CanvasRenderingContext2D, { x, y, rx, ry }: Node): void {
  const slope = Math.min(11, rx);
  pen.moveTo(x - rx, y);
  pen.lineTo(x - rx + slope, y - ry);
  pen.lineTo(x + rx - slope, y - ry);
  pen.lineTo(x + rx, y);
  pen.lineTo(x + rx - slope, y + ry);
  pen.lineTo(x - rx + slope, y + ry);
}

/** The zoom and shift that bring a layout into a frame, with `margin` px around it and `above` px over it, never larger than `most`. */
export function fitEye(layout: Layout, width: number, height: number, margin: number, most: number, above = margin): Eye {
  const wide = Math.max(1, layout.right - layout.left);
  const high = Math.max(1, layout.bottom - layout.top);
  const k = Math.max(0.001, Math.min(most, (width - 2 * margin) / wide, (height - margin - above) / high));
  const x = (width - k * wide) / 2 - k * layout.left;
  const free = height - margin - above - k * high;
  return { k, x, y: above + Math.min(free / 2, margin) - k * layout.top };
}
