// When each piece of the answer arrived, and how large it was: the gaps are the waiting.
import { useSignal } from "@preact/signals";
import { bytes, duration } from "../lib/format";

const SHOWN = 60;
const WIDTH = 400;
const HEIGHT = 44;

/** The largest piece in each half unit of the width: 100,000 pieces draw as many lines as fit. */
function bucketed(chunks: Props["chunks"], last: number): readonly (readonly [number, number])[] {
  const bars = new Map<number, number>();
  for (const [at, size] of chunks) {
    const x = Math.round(((at / last) * (WIDTH - 2) + 1) * 2) / 2;
    bars.set(x, Math.max(bars.get(x) ?? 0, size));
  }
  return [...bars];
}

interface Props {
  /** (ms since the call began, bytes) */
  readonly chunks: readonly (readonly [number, number])[];
}

export function Chunks({ chunks }: Props) {
  const isWhole = useSignal(false);
  const last = Math.max(chunks.at(-1)?.[0] ?? 0, 1);
  const bars = bucketed(chunks, last);
  const largest = bars.reduce((most, [, size]) => Math.max(most, size), 1);
  const shown = isWhole.value ? chunks : chunks.slice(0, SHOWN);
  return (
    <div class="chunks">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT + 14}`}
        role="img"
        aria-label={`${chunks.length} pieces over ${duration(last)}`}
        preserveAspectRatio="none"
      >
        <line class="axis" x1="0" y1={HEIGHT} x2={WIDTH} y2={HEIGHT} />
        {bars.map(([x, size], index) => {
          const height = 3 + (HEIGHT - 5) * Math.sqrt(size / largest);
          return <line key={index} class="tick" x1={x} x2={x} y1={HEIGHT} y2={HEIGHT - height} />;
        })}
      </svg>
      <div class="chunk-ends">
        <span>0 ms</span>
        <span>{duration(last)}</span>
      </div>
      <table>
        <thead>
          <tr>
            <th>at</th>
            <th>after the one before</th>
            <th>size</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(([at, size], index) => (
            <tr key={index}>
              <td>{at.toFixed(1)} ms</td>
              <td>{index === 0 ? "–" : `+${(at - (chunks[index - 1]?.[0] ?? 0)).toFixed(1)} ms`}</td>
              <td>{bytes(size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {chunks.length > SHOWN && (
        <button
          type="button"
          class="fold"
          onClick={() => {
            isWhole.value = !isWhole.value;
          }}
        >
          {isWhole.value ? "Show the first only" : `Show all ${chunks.length} pieces`}
        </button>
      )}
    </div>
  );
}
