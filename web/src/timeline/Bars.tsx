import type { ScaleLinear } from "d3-scale";
import { duration, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import { go } from "../state/route";
import type { Bar, Lane } from "./lanes";

export const LINE_PX = 24;
export const PAD_PX = 6;
const BAR_PX = 16;
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
      {bar.toolsUntil !== null && (
        <rect class="bar-tools" x={right} y={y + LINE_PX / 2 - 1.5} width={Math.max(0, scale(bar.toolsUntil) - right)} height={3} />
      )}
      <rect class="bar-wait" x={left} y={y + inset} width={Math.max(0.5, token - left)} height={BAR_PX} rx="2" />
      {right > token && <rect class="bar-stream" x={token} y={y + inset} width={right - token} height={BAR_PX} rx="2" />}
      <rect class="bar-frame" x={left} y={y + inset} width={right - left} height={BAR_PX} rx="2" />
      {bar.call.status === "failed" && <path class="bar-cross" d={`M${right + 4},${y + 8}l8,8m0,-8l-8,8`} />}
    </g>
  );
}

export function Bars({ lanes, scale, ticks, width, height, top, bottom, selected }: Props) {
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
            {inSight(lane.bars, scale, width, selected).map((bar) => (
              <Line key={bar.call.call_id} bar={bar} y={y + bar.line * LINE_PX} scale={scale} isSelected={bar.call.call_id === selected} />
            ))}
          </g>
        );
      })}
    </>
  );
}

/** Bars that reach into the sight; of those that fall on the same pixel, one. */
function inSight(bars: readonly Bar[], scale: Scale, width: number, selected: string | null): readonly Bar[] {
  const taken = new Set<string>();
  return bars.filter((bar) => {
    const left = scale(bar.from);
    const right = scale(bar.toolsUntil ?? bar.to);
    if (right < 0 || left > width) return false;
    if (right - left > 1 || bar.call.call_id === selected) return true;
    const key = `${bar.line} ${Math.round(left)}`;
    if (taken.has(key)) return false;
    taken.add(key);
    return true;
  });
}
