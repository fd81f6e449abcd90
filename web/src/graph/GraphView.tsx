import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import { now, shownCall, trace } from "../state/app";
import { go, place } from "../state/route";
import { theme } from "../state/theme";
import { Camera } from "./camera";
import { Minimap } from "./Minimap";
import { agentNodeId, callNodeId, type Layout, type Node } from "./node";
import { Outline } from "./Outline";
import { drawOverview, readPalette } from "./overview";
import { isNodeIn, Scene, type Sight, Tips } from "./Scene";
import { nodeTitle } from "./shapes";
import { GraphStatus } from "./Status";
import { GraphTools } from "./Tools";
import { toggleThread } from "./unfold";
import { useGraph } from "./useGraph";
import { step } from "./walk";
import { pathToRoot, type Wire } from "./wires";

/** More nodes in sight than this are drawn on a canvas: SVG would be felt while panning. */
const MOST_SVG_NODES = 420;
/** Smaller than this no word can be read, so none is drawn. */
const LEAST_SVG_ZOOM = 0.24;
const MINIMAP_FROM_NODES = 100;
/** A large graph opens at a size that can be read, at its top. */
const LEAST_FIRST_ZOOM = 0.36;

function selectedNode(layout: Layout, threadOf: (callId: string) => string | undefined): Node | null {
  const { agent, tool } = place.value;
  const call = shownCall();
  if (call !== null && tool !== null) {
    const hexagon = layout.nodes.find((node) => node.call?.call_id === call && node.spans.some((span) => span.number === tool));
    if (hexagon) return hexagon;
  }
  if (call !== null) return layout.byId.get(callNodeId(call)) ?? layout.byId.get(agentNodeId(threadOf(call) ?? "")) ?? null;
  return agent === null ? null : (layout.byId.get(agentNodeId(agent)) ?? null);
}

function select(node: Node, how: "push" | "replace" = "push"): void {
  const run = node.spans.find((span) => span.state === "failed") ?? node.spans[0];
  if (node.call) go({ call: node.call.call_id, agent: null, tool: node.kind === "tool" ? (run?.number ?? null) : null }, how);
  else go({ agent: node.agent.threadId, call: null }, how);
}

/** What is drawn: the sight and as much again around it, so that a small pan draws nothing anew. */
function sightOf(camera: Camera): Sight {
  const { width, height } = camera.size;
  const { k, x, y } = camera.eye.value;
  const left = -x / k;
  const top = -y / k;
  const wide = width / k;
  const high = height / k;
  return { left: left - wide / 2, top: top - high / 2, right: left + 1.5 * wide, bottom: top + 1.5 * high };
}

function holds(drawn: Sight | null, camera: Camera): boolean {
  if (!drawn) return false;
  const { width, height } = camera.size;
  const { k, x, y } = camera.eye.value;
  const wide = width / k;
  return (
    drawn.left <= -x / k &&
    drawn.top <= -y / k &&
    drawn.right >= (width - x) / k &&
    drawn.bottom >= (height - y) / k &&
    drawn.right - drawn.left < wide * 4
  );
}

export function GraphView() {
  const { agents, layout, wires, isOpen, helpers, spans } = useGraph();
  const camera = useMemo(() => new Camera(), []);
  const svg = useRef<SVGSVGElement>(null);
  const scene = useRef<SVGGElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const sight = useSignal<Sight | null>(null);
  const isSmall = useSignal(false);
  const hoveredNode = useSignal<string | null>(null);
  const hoveredWire = useSignal<string | null>(null);
  const asList = useSignal(false);
  const held = useRef<Node | null>(null);
  /** What the first click of two was on: it opens the detail, and the picture may have moved before the second. */
  const clicked = useRef<string | null>(null);
  const fitted = useRef("");
  const latestFit = useRef<() => void>(() => undefined);

  const threadOf = (callId: string) => trace.call(callId)?.thread_id;
  const selected = selectedNode(layout, threadOf);
  const seen = sight.value ? layout.nodes.filter((node) => isNodeIn(node, sight.value as Sight)).length : 0;
  const isCanvas = isSmall.value || seen > MOST_SVG_NODES;
  const lit = useMemo(() => (hoveredNode.value === null ? null : pathToRoot(hoveredNode.value, wires)), [hoveredNode.value, wires]);

  const first = () => {
    camera.fit(layout);
    if (camera.eye.peek().k < LEAST_FIRST_ZOOM) {
      const root = layout.nodes[0];
      const { width } = camera.size;
      camera.set({ k: LEAST_FIRST_ZOOM, x: width / 2 - (root?.x ?? 0) * LEAST_FIRST_ZOOM, y: 56 });
    }
    camera.wasMoved = false;
  };

  // The observer outlives many layouts: it fits the present one.
  latestFit.current = first;
  useLayoutEffect(() => {
    if (!svg.current) return;
    const detach = camera.attach(svg.current);
    const watch = new ResizeObserver(() => {
      if (!camera.wasMoved) latestFit.current();
    });
    watch.observe(svg.current);
    return () => {
      watch.disconnect();
      detach();
    };
  }, [asList.value]);

  useSignalEffect(() => {
    const { k, x, y } = camera.eye.value;
    scene.current?.setAttribute("transform", `translate(${x},${y}) scale(${k})`);
    isSmall.value = k < LEAST_SVG_ZOOM;
    if (!holds(sight.peek(), camera)) sight.value = sightOf(camera);
  });

  // A new trace is fitted; an unfolded agent stays where it was; growth is followed until the reader moves.
  useLayoutEffect(() => {
    const key = trace.traceId ?? "";
    const before = held.current;
    held.current = null;
    if (fitted.current !== key && layout.nodes.length > 0) {
      fitted.current = key;
      first();
    } else if (before) {
      const after = layout.byId.get(before.id);
      if (after) camera.hold(before, after);
    } else if (!camera.wasMoved) {
      first();
    }
    sight.value = sightOf(camera);
  }, [layout]);

  useEffect(() => {
    if (selected) camera.reveal(selected);
  }, [selected?.id]);

  useSignalEffect(() => {
    const eye = camera.eye.value;
    theme.value;
    const element = canvas.current;
    if (element && isCanvas)
      drawOverview(element, layout, wires, eye, readPalette(element.parentElement ?? document.body), selected?.id ?? null);
  });

  const unfold = (node: Node) => {
    held.current = layout.byId.get(agentNodeId(node.agent.threadId)) ?? null;
    camera.wasMoved = true;
    toggleThread(node.agent.threadId, agents);
  };
  const setAll = (open: readonly string[]) => {
    camera.wasMoved = false;
    fitted.current = "";
    go({ open }, "replace");
  };
  useKeys(
    () => [
      {
        key: "f",
        label: "f",
        group: "Graph",
        says: "fit the graph into the window",
        run: () => {
          camera.fit(layout);
          camera.wasMoved = false;
        },
      },
      { key: "+", label: "+", group: "Graph", says: "zoom in and out", run: () => camera.zoomBy(1.3) },
      { key: "-", label: "−", group: "Graph", says: "zoom in and out", run: () => camera.zoomBy(1 / 1.3) },
    ],
    [layout],
  );
  const keys = (event: KeyboardEvent) => {
    if (event.key.startsWith("Arrow")) {
      const next = step(selected, event.key, layout, wires, event.shiftKey);
      if (next) select(next, "replace");
    } else if ((event.key === "Enter" || event.key === " ") && selected) {
      unfold(selected);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  /** By what is under the pointer; on the canvas by where it is. */
  const nodeAt = (event: MouseEvent): Node | null => {
    const target = (event.target as Element).closest<SVGGElement>("[data-node]");
    if (target) return layout.byId.get(target.dataset["node"] ?? "") ?? null;
    if (!isCanvas || !svg.current) return null;
    const box = svg.current.getBoundingClientRect();
    const { k, x, y } = camera.eye.peek();
    const px = (event.clientX - box.left - x) / k;
    const py = (event.clientY - box.top - y) / k;
    const reach = 4 / k;
    return layout.nodes.find((node) => Math.abs(node.x - px) <= node.rx + reach && Math.abs(node.y - py) <= node.ry + reach) ?? null;
  };
  const hover = (event: MouseEvent) => {
    hoveredNode.value = nodeAt(event)?.id ?? null;
    hoveredWire.value = (event.target as Element).closest<SVGGElement>("[data-wire]")?.dataset["wire"] ?? null;
  };
  return (
    <div class="graph">
      <GraphTools helpers={helpers} asList={asList} onAll={setAll} onFit={() => camera.fit(layout)} />
      {asList.value ? (
        <Outline agents={agents} spans={spans} />
      ) : (
        <div class="graph-stage">
          <canvas ref={canvas} class="graph-canvas" hidden={!isCanvas} aria-hidden="true" />
          <svg
            ref={svg}
            class="graph-svg"
            tabindex={0}
            role="application"
            aria-label={`Graph of ${plural(agents.order.length, "agent")}. Arrow keys walk, with Shift also to tools, Enter unfolds. The button As a list shows the same as text.`}
            onKeyDown={keys}
            onClick={(event) => {
              if (event.detail > 1) return;
              const node = nodeAt(event);
              clicked.current = node?.id ?? null;
              if (node) select(node);
            }}
            onDblClick={() => {
              const node = layout.nodes.find((each) => each.id === clicked.current);
              if (node) unfold(node);
            }}
            onMouseMove={hover}
            onMouseLeave={() => {
              hoveredNode.value = null;
              hoveredWire.value = null;
            }}
          >
            <Tips />
            <g ref={scene}>
              {!isCanvas && sight.value && (
                <Scene
                  layout={layout}
                  wires={wires}
                  sight={sight.value}
                  lit={lit}
                  selected={selected?.id ?? null}
                  nowMs={now.value}
                  growth={trace.growth}
                  isOpen={isOpen}
                />
              )}
            </g>
          </svg>
          <span class="sr" role="status">
            {selected ? nodeTitle(selected) : ""}
          </span>
          {layout.nodes.length > MINIMAP_FROM_NODES && (
            <Minimap layout={layout} wires={wires} camera={camera} selected={selected?.id ?? null} />
          )}
        </div>
      )}
      <GraphStatus node={layout.byId.get(hoveredNode.value ?? "") ?? null} wire={findWire(wires, hoveredWire.value)} nowMs={now.value} />
    </div>
  );
}

function findWire(wires: readonly Wire[], id: string | null): Wire | null {
  return id === null ? null : (wires.find((each) => each.id === id) ?? null);
}
