import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { compact, costSum, count, plural } from "../lib/format";
import { useKeys } from "../lib/keys";
import { ProblemNotice } from "../shell/Notice";
import { LEFT, Splitter } from "../shell/Splitter";
import { finds, traces } from "../state/app";
import { openTrace, place } from "../state/route";
import { SearchBox } from "./SearchBox";
import { TraceItem } from "./TraceItem";
import { VirtualRows } from "./VirtualRows";

const TRACE_ROW_PX = 52;
/** With a line under it that shows where the words stand. */
const FOUND_ROW_PX = 70;

/** The trace `by` places below the open one. */
export function stepTrace(by: number): void {
  if (traces.order.length === 0) return;
  const here = place.peek().trace === null ? -1 : traces.order.indexOf(place.peek().trace ?? "");
  const next = here === -1 ? (by > 0 ? 0 : traces.order.length - 1) : Math.min(Math.max(here + by, 0), traces.order.length - 1);
  const wanted = traces.order[next];
  if (wanted !== undefined && wanted !== place.peek().trace) openTrace(wanted);
}

function StatsLine() {
  traces.version.value;
  const sums = traces.sums;
  if (!traces.loaded) return null;
  return (
    <div class="list-stats" title={traces.hasMore ? "Of the rows loaded so far; more load as you scroll." : "Of all rows in this list."}>
      <span>
        {count(sums.traces)}
        {traces.hasMore ? "+" : ""} {sums.traces === 1 ? "trace" : "traces"}
      </span>
      <span>{plural(sums.calls, "call")}</span>
      <span>{compact(sums.tokens)} tok</span>
      <span title={costSum(sums.usd, sums.unpriced)}>{costSum(sums.usd, 0)}</span>
      {sums.errors > 0 && <span class="bad">{plural(sums.errors, "error")}</span>}
      {traces.loading.value && <span class="busy" role="status" aria-label="loading" />}
    </div>
  );
}

function Waiting({ toTop }: { toTop: () => void }) {
  traces.version.value;
  const waiting = traces.waiting.size;
  if (waiting === 0) return null;
  const show = () => {
    if (traces.isFiltered) {
      void traces.load(traces.search);
      void finds.look(traces.search);
    } else traces.admit();
    toTop();
  };
  return (
    <button type="button" class="waiting" onClick={show}>
      ↑ {count(waiting)} new{traces.isFiltered ? " · search again" : ""}
    </button>
  );
}

export function TraceListPane() {
  traces.version.value;
  const active = useSignal(-1);
  const openId = place.value.trace;
  const openIndex = openId === null ? -1 : traces.order.indexOf(openId);
  const shown = active.value >= 0 ? active.value : openIndex;
  const problem = traces.problem.value;
  const found = finds.found.value;

  useKeys(
    () => [
      { key: "J", label: "J", group: "Traces", says: "next trace", run: () => stepTrace(1) },
      { key: "K", label: "K", group: "Traces", says: "previous trace", run: () => stepTrace(-1) },
    ],
    [],
  );
  useEffect(() => {
    active.value = -1;
  }, [openId, traces.search]);

  const toTop = () => {
    const rows = document.querySelector(".trace-rows");
    if (rows) rows.scrollTop = 0;
  };
  const keys = (event: KeyboardEvent) => {
    const most = traces.order.length - 1;
    const moves: Record<string, number> = {
      ArrowDown: shown + 1,
      ArrowUp: shown - 1,
      PageDown: shown + 10,
      PageUp: shown - 10,
      Home: 0,
      End: most,
    };
    const wanted = moves[event.key];
    if (wanted !== undefined) {
      active.value = Math.min(Math.max(wanted, 0), most);
    } else if (event.key === "Enter" || event.key === " ") {
      const row = traces.order[shown];
      if (row !== undefined) openTrace(row, found.get(row)?.callId);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <aside class="pane list" aria-label="Traces">
      <SearchBox />
      {traces.complaints.value.map((complaint) => (
        <p key={complaint} class="complaint" role="status">
          {complaint}
        </p>
      ))}
      <StatsLine />
      {problem && <ProblemNotice problem={problem} retry={() => void traces.load(traces.search)} />}
      {!problem && traces.loaded && traces.order.length === 0 && !traces.hasMore && (
        <p class="list-empty dim">{traces.isFiltered ? "No trace matches this search." : "No traces yet."}</p>
      )}
      {!traces.loaded && !problem && <Skeleton />}
      <div class="list-body">
        <Waiting toTop={toTop} />
        <VirtualRows
          class="trace-rows"
          count={traces.order.length}
          rowHeight={found.size > 0 ? FOUND_ROW_PX : TRACE_ROW_PX}
          active={shown}
          keyOf={(index) => traces.order[index] ?? String(index)}
          onTop={(atTop) => {
            traces.atTop = atTop;
          }}
          onEnd={() => void traces.more()}
          attributes={{
            role: "listbox",
            tabIndex: 0,
            "aria-label": "Traces, newest first",
            "aria-activedescendant": shown >= 0 ? `trace-${shown}` : undefined,
            onKeyDown: keys,
            onFocus: () => {
              if (shown < 0 && traces.order.length > 0) active.value = 0;
            },
          }}
          row={(index) => {
            const row = traces.rows.get(traces.order[index] ?? "");
            return (
              row && (
                <TraceItem
                  row={row}
                  find={found.get(row.trace_id)}
                  index={index}
                  isOpen={row.trace_id === openId}
                  isActive={index === shown}
                  onOpen={() => openTrace(row.trace_id, found.get(row.trace_id)?.callId)}
                />
              )
            );
          }}
        />
      </div>
      <Splitter side={LEFT} />
    </aside>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" role="status" aria-label="Loading traces">
      {Array.from({ length: 8 }, (_, index) => (
        <i key={index} />
      ))}
    </div>
  );
}
