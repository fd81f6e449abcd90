// No trace chosen: what is running at this moment, and how to send something through.
import { age, duration, plural } from "../lib/format";
import { traceTitle } from "../lib/title";
import { traceDuration } from "../list/TraceItem";
import { now, traces } from "../state/app";
import { openTrace } from "../state/route";
import type { TraceRow } from "../types.gen";
import { StatusMark } from "./marks";
import { Setup } from "./Setup";

/** Traces shown here; the list on the left has all. */
const RUNNING_SHOWN = 12;
const FAILED_SHOWN = 5;

/** The newest rows of the list that fit, in its order. */
function pick(isFit: (row: TraceRow) => boolean, most: number): readonly TraceRow[] {
  const found: TraceRow[] = [];
  for (const id of traces.order) {
    const row = traces.rows.get(id);
    if (row && isFit(row)) found.push(row);
    if (found.length === most) break;
  }
  return found;
}

function Rows({ rows, note }: { rows: readonly TraceRow[]; note: (row: TraceRow) => string }) {
  return (
    <ul class="running-list">
      {rows.map((row) => (
        <li key={row.trace_id}>
          <button type="button" class="running-row" onClick={() => openTrace(row.trace_id)}>
            <StatusMark status={row.status} />
            <span class="ellipsis said">{traceTitle(row)}</span>
            <span class="num dim">{note(row)}</span>
            <span class="num">
              {row.status === "running" ? duration(traceDuration(row, now.value)) : `${age(row.created_at, now.value)} ago`}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function Home() {
  traces.version.value;
  const isEmpty = traces.loaded && traces.order.length === 0 && !traces.isFiltered;
  if (isEmpty) {
    return (
      <div class="notice">
        <h2>Waiting for the first call</h2>
        <Setup />
      </div>
    );
  }
  const running = pick((row) => row.status === "running", RUNNING_SHOWN);
  const failed = pick((row) => row.error_count > 0 && row.status !== "running", FAILED_SHOWN);
  return (
    <div class="notice home">
      <h2>Running now</h2>
      {running.length > 0 ? (
        <Rows rows={running} note={(row) => plural(row.running_count, "open call")} />
      ) : (
        <p class="dim">
          Nothing at this moment. Choose a trace on the left, or press <kbd>j</kbd>.
        </p>
      )}
      {failed.length > 0 && (
        <>
          <h2>Latest errors</h2>
          <Rows rows={failed} note={(row) => plural(row.error_count, "error")} />
        </>
      )}
      <details class="home-setup">
        <summary>Send another agent's calls through the proxy</summary>
        <Setup />
      </details>
    </div>
  );
}
