import type { ScaleLinear } from "d3-scale";
import { cut, duration, oneLine, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import { go } from "../state/route";
import { fateOf, fateWords } from "../trace/tools";
import type { ToolSpan } from "../types.gen";
import type { Bar, Lane, Runs } from "./lanes";

export const LINE_PX = 24;
export const PAD_PX = 6;
const BAR_PX = 16;
const TOOLS_PX = 14;
/** Of a name inside a bar; fewer than so many letters tell nothing. */
const LETTER_PX = 6.2;
const LEAST_LETTERS = 3;
/** A bar is never thinner than can be seen and pressed. */
const LEAST_PX = 3;

type Scale = ScaleLinear<number, number>;

interface Props {
  readonly lanes: readonly Lane[];
  readonly scale: Scale;
  readonly ticks: readonly number[];
  readonly width: number;
  readonly height: number;
  /** The part of the height that is in sight. */
  readonly top: number;
  readonly bottom: number;
  readonly selected: string | null;
  /** The selected run of the selected call. */
  readonly tool: number | null;
}

function title(bar: Bar): string {
  const { call } = bar;
  const first = call.ttft_ms === null ? "" : `, first token after ${duration(call.ttft_ms)}`;
  return `${visible(call.model ?? call.path)}: ${call.status}, ${duration(bar.to - bar.from)}${first}, ${tokens(call.tokens_output)} out`;
}

function Line({ bar, y, scale, isSelected }: { bar: Bar; y: number; scale: Scale; isSelected: boolean }) {
  const left = scale(bar.from);
  const right = Math.max(scale(bar.to), left + LEAST_PX);
  const token = bar.token === null ? right : Math.min(Math.max(scale(bar.token), left), right);
  const inset = (LINE_PX - BAR_PX) / 2;
  return (
    <g
      class={`bar-call bar-is-${bar.call.status}${isSelected ? " is-selected" : ""}`}
      data-call={bar.call.call_id}
      onClick={() => go({ call: bar.call.call_id, agent: null })}
    >
      <title>{title(bar)}</title>
      <rect class="bar-wait" x={left} y={y + inset} width={Math.max(0.5, token - left)} height={BAR_PX} rx="2" />
      {right > token && <rect class="bar-stream" x={token} y={y + inset} width={right - token} height={BAR_PX} rx="2" />}
      <rect class="bar-frame" x={left} y={y + inset} width={right - left} height={BAR_PX} rx="2" />
      {bar.call.status === "failed" && <path class="bar-cross" d={`M${right + 4},${y + 8}l8,8m0,-8l-8,8`} />}
    </g>
  );
}

/** What ran: bash ×2, read_file. */
function names(spans: readonly ToolSpan[]): string {
  const times = new Map<string, number>();
  for (const span of spans) times.set(span.name, (times.get(span.name) ?? 0) + 1);
  return [...times].map(([name, count]) => `${oneLine(visible(name))}${count > 1 ? ` ×${count}` : ""}`).join(", ");
}

/** A long hexagon between two calls, named where there is room. */
function Ran({ runs, callId, y, scale, width, tool }: { runs: Runs; callId: string; y: number; scale: Scale; width: number; tool: number | null }) {
  const left = scale(runs.from);
  const right = Math.max(scale(runs.to), left + LEAST_PX);
  const middle = y + LINE_PX / 2;
  const half = TOOLS_PX / 2;
  const slope = Math.min(half, (right - left) / 2);
  const { failed, state } = fateOf(runs.spans);
  const seen = { left: Math.max(left + slope, 0), right: Math.min(right - slope, width) };
  const room = Math.floor((seen.right - seen.left - 6 - (failed > 0 ? 12 : 0)) / LETTER_PX);
  const first = runs.spans.find((span) => span.state === "failed") ?? runs.spans[0];
  const isSelected = tool !== null && runs.spans.some((span) => span.number === tool);
  return (
    <g
      class={`bar-run run-is-${state ?? "returned"}${isSelected ? " is-selected" : ""}`}
      data-run={first?.span_id}
      onClick={() => go({ call: callId, agent: null, tool: first?.number ?? null })}
    >
      <title>
        {names(runs.spans)}: {fateWords(runs.spans)}
      </title>
      <polygon
        class="bar-tools"
        points={`${left},${middle} ${left + slope},${middle - half} ${right - slope},${middle - half} ${right},${middle} ${right - slope},${middle + half} ${left + slope},${middle + half}`}
      />
      {failed > 0 && seen.right - seen.left > 8 && (
        <path class="bar-tools-cross" d={`M${seen.left + 1},${middle - 3.5}l7,7m0,-7l-7,7`} />
      )}
      {room >= LEAST_LETTERS && (
        <text class="bar-tools-name" x={seen.left + 3 + (failed > 0 ? 12 : 0)} y={middle} dy="0.34em">
          {cut(names(runs.spans), room)}
        </text>
      )}
    </g>
  );
}

export function Bars({ lanes, scale, ticks, width, height, top, bottom, selected, tool }: Props) {
  return (
    <>
      <defs>
        <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <rect class="hatch-ground" width="5" height="5" />
          <rect class="hatch-line" width="2" height="5" />
        </pattern>
      </defs>
      <rect class="plot-ground" width={width} height={height} />
      {ticks.map((tick) => (
        <line key={tick} class="grid-line" x1={scale(tick)} x2={scale(tick)} y1={0} y2={height} />
      ))}
      {lanes.map((lane, index) => {
        const y = lane.top * LINE_PX + index * PAD_PX + PAD_PX / 2;
        if (y > bottom || y + lane.lines * LINE_PX < top) return null;
        return (
          <g key={lane.agent.threadId}>
            <line
              class="lane-line"
              x1={0}
              x2={width}
              y1={y + lane.lines * LINE_PX + PAD_PX / 2}
              y2={y + lane.lines * LINE_PX + PAD_PX / 2}
            />
            {runsInSight(lane.bars, scale, width, selected).map(({ bar, runs }) => (
              <Ran
                key={runs.spans[0]?.span_id ?? ""}
                runs={runs}
                callId={bar.call.call_id}
                y={y + bar.line * LINE_PX}
                scale={scale}
                width={width}
                tool={bar.call.call_id === selected ? tool : null}
              />
            ))}
            {inSight(lane.bars, scale, width, selected).map((bar) => (
              <Line key={bar.call.call_id} bar={bar} y={y + bar.line * LINE_PX} scale={scale} isSelected={bar.call.call_id === selected && tool === null} />
            ))}
          </g>
        );
      })}
    </>
  );
}

/** Runs that reach into the sight, likewise. */
function runsInSight(bars: readonly Bar[], scale: Scale, width: number, selected: string | null) {
  const taken = new Set<string>();
  return bars.flatMap((bar) =>
    bar.runs.flatMap((runs) => {
      const left = scale(runs.from);
      const right = scale(runs.to);
      const key = `${bar.line} ${Math.round(left)}`;
      if (right < 0 || left > width || (right - left <= 1 && bar.call.call_id !== selected && taken.has(key))) return [];
      if (right - left <= 1) taken.add(key);
      return [{ bar, runs }];
    }),
  );
}

/** Bars that reach into the sight; of those that fall on the same pixel, one. */
function inSight(bars: readonly Bar[], scale: Scale, width: number, selected: string | null): readonly Bar[] {
  const taken = new Set<string>();
  return bars.filter((bar) => {
    const left = scale(bar.from);
    const right = scale(bar.to);
    if (right < 0 || left > width) return false;
    if (right - left > 1 || bar.call.call_id === selected) return true;
    const key = `${bar.line} ${Math.round(left)}`;
    if (taken.has(key)) return false;
    taken.add(key);
    return true;
  });
}
