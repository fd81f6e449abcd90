// Which tools failed. A call's row names its tools; what became of them stands in the next turn's messages, so the newest
// finished turn of a thread tells it for all turns before.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { finishedDetail } from "../state/turns";
import type { CallRow, MessageView } from "../types.gen";
import type { Agent } from "./agents";

/** Threads asked about at once: each costs one fetch when it got a new turn. */
const MOST_THREADS = 12;
/** Turns of a burst are waited for. */
const SETTLE_MS = 400;

/** By call, the names of its tools that failed. */
export type ToolErrors = ReadonlyMap<string, ReadonlySet<string>>;

const NONE: ToolErrors = new Map();

/** Read the history of a thread against its calls: the n-th message that asks for tools is the n-th call that did. */
export function readToolErrors(calls: readonly CallRow[], messages: readonly MessageView[]): ToolErrors {
  const failed = new Set<string>();
  for (const message of messages) {
    for (const part of message.parts) if (part.kind === "tool_result" && part.is_error && part.tool_id) failed.add(part.tool_id);
  }
  const found = new Map<string, Set<string>>();
  if (failed.size === 0) return found;
  const asking = calls.filter((call) => call.tool_names.length > 0);
  let at = 0;
  for (const message of messages) {
    const uses = message.parts.filter((part) => part.kind === "tool_use");
    if (message.role !== "assistant" || uses.length === 0) continue;
    // An answer that the client dropped is passed over; one that no call of ours gave is not guessed at.
    while (
      at < asking.length &&
      !isSame(
        asking[at] as CallRow,
        uses.map((part) => part.name ?? ""),
      )
    )
      at += 1;
    const call = asking[at];
    if (!call) break;
    at += 1;
    for (const part of uses) {
      if (part.tool_id && part.name && failed.has(part.tool_id))
        found.set(call.call_id, (found.get(call.call_id) ?? new Set()).add(part.name));
    }
  }
  return found;
}

function isSame(call: CallRow, names: readonly string[]): boolean {
  return [...call.tool_names].sort().join("\u0000") === [...names].sort().join("\u0000");
}

export function useToolErrors(agents: readonly Agent[]): ToolErrors {
  const errors = useSignal<ToolErrors>(NONE);
  const asked = agents
    .filter((agent) => agent.calls.some((call) => call.tool_names.length > 0))
    .slice(0, MOST_THREADS)
    .map((agent) => ({ agent, last: agent.calls.findLast((call) => call.status !== "running") }))
    .filter((each) => each.last !== undefined);
  const key = asked.map((each) => each.last?.call_id).join(" ");
  useEffect(() => {
    let isWanted = true;
    const read = async () => {
      const found = new Map<string, ReadonlySet<string>>();
      for (const { agent, last } of asked) {
        const detail = await finishedDetail(last?.call_id ?? "").catch(() => null);
        if (detail) for (const [callId, names] of readToolErrors(agent.calls, detail.messages)) found.set(callId, names);
      }
      if (isWanted) errors.value = found;
    };
    const timer = setTimeout(() => void read(), SETTLE_MS);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [key]);
  return errors.value;
}
