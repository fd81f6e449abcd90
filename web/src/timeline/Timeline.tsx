// A waterfall: who worked when, what was waited for, what ran at once.
import { useSignal } from "@preact/signals";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { type ZoomTransform, zoom, zoomIdentity } from "d3-zoom";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { tickWord } from "../lib/format";
import { bindKeys } from "../lib/keys";
import { visible } from "../lib/visible";
import { FitIcon } from "../shell/icons";
import { now, shownCall, trace } from "../state/app";
import { go, place } from "../state/route";
import { useToolSpans } from "../state/tools";
import { readAgents } from "../trace/agents";
import { Bars, LINE_PX, PAD_PX } from "./Bars";
import { readLanes } from "./lanes";

const NAMES_PX = 148;
const AXIS_PX = 26;
const LARGEST_ZOOM = 2000;
/** Room after the last bar, as a share of the whole. */
const TAIL = 0.04;

export function Timeline() {
  trace.version.value;
  const { calls, edges } = trace;
  const agents = useMemo(() => readAgents(calls, edges), [calls, edges]);
  const spans = useToolSpans();
  const isRunning = trace.row?.status === "running";
  const nowMs = isRunning ? now.value : 0;
  const picture = useMemo(() => readLanes(agents, nowMs, trace.growth, spans), [agents, nowMs, spans]);
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<SVGSVGElement>(null);
  const width = useSignal(600);
  const scroll = useSignal({ top: 0, height: 600 });
  const turned = useSignal<ZoomTransform>(zoomIdentity);
  const selected = shownCall();

  useLayoutEffect(() => {
    const element = box.current;
    const svg = plot.current;
    if (!element || !svg) return;
    const measure = () => {
      width.value = Math.max(100, element.clientWidth - NAMES_PX);
      scroll.value = { top: element.scrollTop, height: element.clientHeight };
    };
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    measure();
    const behaviour = zoom<SVGSVGElement, unknown>()
      .scaleExtent([1, LARGEST_ZOOM])
      .filter((event: Event) =>
        event instanceof WheelEvent
          ? event.ctrlKey || event.metaKey || event.shiftKey
          : !(event instanceof MouseEvent && event.button !== 0),
      )
      .on("zoom", (event: { transform: ZoomTransform }) => {
        turned.value = event.transform;
      });
    select(svg).call(behaviour).on("dblclick.zoom", null);
    const unbind = bindKeys([
      {
        key: "f",
        label: "f",
        group: "Timeline",
        says: "show the whole time",
        run: () => select(svg).call(behaviour.transform, zoomIdentity),
      },
      { key: "+", label: "+", group: "Timeline", says: "zoom in and out", run: () => select(svg).call(behaviour.scaleBy, 1.5) },
      { key: "-", label: "−", group: "Timeline", says: "zoom in and out", run: () => select(svg).call(behaviour.scaleBy, 1 / 1.5) },
    ]);
    return () => {
      unbind();
      watch.disconnect();
      select(svg).on(".zoom", null);
    };
  }, []);
  useEffect(() => {
    if (selected !== null)
      plot.current?.querySelector(`[data-call="${CSS.escape(selected)}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [selected]);

  const whole = scaleLinear([0, picture.lengthMs * (1 + TAIL)], [0, width.value]);
  const scale = turned.value.rescaleX(whole);
  const height = picture.lines * LINE_PX + picture.lanes.length * PAD_PX;
  const ticks = scale.ticks(Math.max(2, Math.floor(width.value / 110)));
  const fit = () => {
    if (plot.current) select(plot.current).call(zoom<SVGSVGElement, unknown>().transform, zoomIdentity);
    turned.value = zoomIdentity;
  };
  return (
    <div class="timeline">
      <div class="view-tools">
        <span class="key">
          <i class="key-wait" /> waiting for the first token
        </span>
        <span class="key">
          <i class="key-stream" /> answer arriving
        </span>
        <span class="key">
          <i class="key-run" /> tools running
        </span>
        <span class="spring" />
        <span class="dim">Ctrl + wheel zooms, drag pans</span>
        <button type="button" class="button" onClick={fit} title="Show the whole time (f)">
          <FitIcon /> Fit
        </button>
      </div>
      <div
        ref={box}
        class="timeline-box"
        tabIndex={0}
        role="region"
        aria-label="Timeline"
        onScroll={(event) => {
          scroll.value = { top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight };
        }}
      >
        <div class="timeline-axis" style={{ height: `${AXIS_PX}px` }}>
          <svg width={width.value} height={AXIS_PX} style={{ marginLeft: `${NAMES_PX}px` }} aria-hidden="true">
            {ticks.map((tick) => (
              <text key={tick} x={scale(tick) + 4} y={17}>
                {tickWord(tick)}
              </text>
            ))}
          </svg>
        </div>
        <div class="timeline-body" style={{ height: `${height}px` }}>
          <div class="timeline-names" style={{ width: `${NAMES_PX}px` }}>
            {picture.lanes.map((lane, index) => (
              <button
                key={lane.agent.threadId}
                type="button"
                class="lane-name"
                style={{
                  top: `${lane.top * LINE_PX + index * PAD_PX}px`,
                  height: `${lane.lines * LINE_PX + PAD_PX}px`,
                  paddingLeft: `${10 + Math.min(lane.agent.depth, 4) * 12}px`,
                }}
                title={visible(lane.agent.name)}
                onClick={() => go({ agent: lane.agent.threadId, call: null })}
              >
                <i class={lane.agent.parent === null ? "key-root" : "key-agent"} />
                <span class="ellipsis said">{visible(lane.agent.name)}</span>
              </button>
            ))}
          </div>
          <svg
            ref={plot}
            class="timeline-plot"
            width={width.value}
            height={height}
            style={{ left: `${NAMES_PX}px` }}
            role="img"
            aria-label="Calls over time; the table has the same figures."
          >
            <Bars
              lanes={picture.lanes}
              scale={scale}
              ticks={ticks}
              width={width.value}
              height={height}
              top={scroll.value.top - AXIS_PX}
              bottom={scroll.value.top + scroll.value.height}
              selected={selected}
              tool={place.value.tool}
            />
          </svg>
        </div>
      </div>
    </div>
  );
}
