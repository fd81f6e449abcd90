import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { instant } from "../lib/format";
import { remember, remembered } from "../lib/remember";
import { VirtualRows } from "../list/VirtualRows";
import { ColumnsIcon } from "../shell/icons";
import { now, shownCall, trace } from "../state/app";
import { go } from "../state/route";
import { useToolSpans } from "../state/tools";
import { MAIN_KINDS, readAgents } from "./agents";
import { COLUMNS, type Column, type Context, MarkCell, USUAL_COLUMNS } from "./columns";
import { setShownOrder, stepCall } from "./step";

const ROW_PX = 30;

interface Sorting {
  readonly by: string;
  readonly isDown: boolean;
}

const isIds = (value: unknown): value is string[] => Array.isArray(value) && value.every((each) => typeof each === "string");

function ColumnChoice({ chosen, onChange }: { chosen: readonly string[]; onChange: (ids: string[]) => void }) {
  return (
    <details class="menu">
      <summary class="button" aria-label="Choose columns">
        <ColumnsIcon /> Columns
      </summary>
      <div class="menu-sheet">
        {COLUMNS.map((column) => (
          <label key={column.id}>
            <input
              type="checkbox"
              checked={chosen.includes(column.id)}
              onChange={(event) =>
                onChange(
                  COLUMNS.map((each) => each.id).filter((id) => (id === column.id ? event.currentTarget.checked : chosen.includes(id))),
                )
              }
            />
            {column.label}
            <span class="dim">{column.title}</span>
          </label>
        ))}
      </div>
    </details>
  );
}

function Head({ columns, sorting, onSort }: { columns: readonly Column[]; sorting: Sorting; onSort: (id: string) => void }) {
  return (
    <div class="rows-head call-row" role="row">
      <span role="columnheader" class="cell-mark">
        <span class="sr">Status</span>
      </span>
      {columns.map((column) => (
        <span
          key={column.id}
          role="columnheader"
          class={`cell col-${column.id}${column.isNumber ? " num" : ""}`}
          aria-sort={sorting.by === column.id ? (sorting.isDown ? "descending" : "ascending") : "none"}
        >
          <button type="button" title={column.title} onClick={() => onSort(column.id)}>
            {column.label}
            {sorting.by === column.id && <span aria-hidden="true">{sorting.isDown ? " ↓" : " ↑"}</span>}
          </button>
        </span>
      ))}
    </div>
  );
}

export function CallTable() {
  trace.version.value;
  const chosen = useSignal<readonly string[]>(remembered("columns", USUAL_COLUMNS, isIds));
  const sorting = useSignal<Sorting>({ by: "start", isDown: false });
  const { calls, edges } = trace;
  const spans = useToolSpans();
  const agents = useMemo(() => readAgents(calls, edges), [calls, edges]);
  const columns = COLUMNS.filter((column) => chosen.value.includes(column.id));
  const context: Context = {
    startMs: instant(trace.row?.created_at ?? calls[0]?.created_at ?? ""),
    nowMs: now.value,
    agentName: (threadId) => agents.byThread.get(threadId)?.name ?? "",
    growth: (callId) => trace.growth.get(callId),
    spans,
  };
  const isTimed = sorting.value.by === "duration";
  const rows = useMemo(() => {
    const column = COLUMNS.find((each) => each.id === sorting.value.by) ?? COLUMNS[0];
    if (!column || (column.id === "start" && !sorting.value.isDown)) return calls;
    const keyed = calls.map((row) => ({ row, key: column.sort(row, context) }));
    keyed.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
    if (sorting.value.isDown) keyed.reverse();
    return keyed.map((each) => each.row);
  }, [calls, sorting.value, isTimed ? context.nowMs : 0]);

  useEffect(() => {
    setShownOrder(rows.map((row) => row.call_id));
    return () => setShownOrder(null);
  }, [rows]);

  const selected = shownCall();
  const active = selected === null ? -1 : rows.findIndex((row) => row.call_id === selected);
  const choose = (ids: string[]) => {
    chosen.value = ids;
    remember("columns", ids);
  };
  const sortBy = (id: string) => {
    const isNumber = COLUMNS.find((column) => column.id === id)?.isNumber ?? false;
    const isSame = sorting.value.by === id;
    sorting.value = { by: id, isDown: isSame ? !sorting.value.isDown : isNumber && id !== "start" };
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") stepCall(1);
    else if (event.key === "ArrowUp") stepCall(-1);
    else return;
    event.preventDefault();
  };
  return (
    <div class="table-view">
      <ColumnChoice chosen={chosen.value} onChange={choose} />
      <VirtualRows
        class="call-rows"
        count={rows.length}
        rowHeight={ROW_PX}
        active={active}
        keyOf={(index) => rows[index]?.call_id ?? String(index)}
        attributes={{ role: "table", "aria-label": "Calls", "aria-rowcount": rows.length + 1, tabIndex: 0, onKeyDown: keys }}
        header={<Head columns={columns} sorting={sorting.value} onSort={sortBy} />}
        row={(index) => {
          const row = rows[index];
          return (
            row && (
              <div
                class={`call-row${row.call_id === selected ? " open" : ""}${MAIN_KINDS.has(row.kind) ? "" : " is-noise"}`}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={row.call_id === selected}
                data-call={row.call_id}
                onClick={() => go({ call: row.call_id, agent: null })}
              >
                <span class="cell-mark" role="cell">
                  <MarkCell row={row} />
                </span>
                {columns.map((column) => (
                  <span key={column.id} role="cell" class={`cell ellipsis col-${column.id}${column.isNumber ? " num" : ""}`}>
                    {column.cell(row, context)}
                  </span>
                ))}
              </div>
            )
          );
        }}
      />
    </div>
  );
}
