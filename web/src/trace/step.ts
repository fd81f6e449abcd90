import { untracked } from "@preact/signals";
import { shownCall, trace } from "../state/app";
import { go, place } from "../state/route";

/** Calls in the order in which the present view shows them; the table sets its own. */
let shownOrder: readonly string[] | null = null;

export function setShownOrder(order: readonly string[] | null): void {
  shownOrder = order;
}

/** Select the call `by` places after the selected one. */
export function stepCall(by: number): void {
  const order = shownOrder ?? trace.calls.map((call) => call.call_id);
  if (order.length === 0) return;
  const selected = untracked(shownCall);
  const here = selected === null ? -1 : order.indexOf(selected);
  const next = here === -1 ? (by > 0 ? 0 : order.length - 1) : Math.min(Math.max(here + by, 0), order.length - 1);
  const wanted = order[next];
  if (wanted !== undefined) go({ call: wanted, agent: null }, place.peek().call === null ? "push" : "replace");
}
