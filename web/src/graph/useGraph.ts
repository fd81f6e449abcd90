// From the open trace and the URL to nodes and wires, computed anew only when what they are made of changed.
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { trace } from "../state/app";
import { place } from "../state/route";
import { useToolSpans } from "../state/tools";
import { readAgents } from "../trace/agents";
import { layOut } from "./layout";
import type { Layout } from "./node";
import { hideHelpers, isThreadOpen, keepUnfolded } from "./unfold";
import { wire } from "./wires";

export function useGraph() {
  trace.version.value;
  const { calls, edges } = trace;
  const { open } = place.value;
  const spans = useToolSpans();
  const pins = useRef<{ key: string; pins: Layout["pins"] }>({ key: "", pins: new Map() });
  const shown = useMemo(() => hideHelpers(calls, open), [calls, open]);
  const agents = useMemo(() => readAgents(shown.calls, edges), [shown.calls, edges]);
  const alone = useRef<string | null>(null);
  useLayoutEffect(() => {
    alone.current = keepUnfolded(agents, alone.current);
  }, [agents]);
  const isOpen = (threadId: string) => isThreadOpen(threadId, open, agents);
  const layout = useMemo(() => {
    const key = `${trace.traceId} ${open.join(" ")}`;
    const made = layOut(agents, isOpen, pins.current.key === key ? pins.current.pins : new Map(), spans);
    pins.current = { key, pins: made.pins };
    return made;
  }, [agents, open, spans]);
  const wires = useMemo(() => wire(agents, edges, layout, spans), [agents, edges, layout, spans]);
  return { agents, layout, wires, isOpen, helpers: shown.helpers, spans };
}
