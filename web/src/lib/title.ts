// What a trace is called, in the list, above the graph and on the first page.
import type { TraceRow } from "../types.gen";
import { oneLine } from "./format";
import { visible } from "./visible";

/** Whether somebody named it, or its first conversation says what it is about. */
export function hasTitle(row: TraceRow): boolean {
  return given(row) !== "";
}

/** Calls without an agent (a client's `HEAD /`, a list of models, embeddings) are no conversation that lacks a title. */
export function traceTitle(row: TraceRow): string {
  return given(row) || (row.agent_count === 0 ? "no conversation" : "untitled");
}

function given(row: TraceRow): string {
  return oneLine(visible(row.name || row.task_description || ""));
}
