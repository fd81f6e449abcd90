// What a call sends that the previous turn of its thread did not, and where the common beginning ends.
import type { CallDetail, MessageView, PartView } from "../types.gen";
import { members } from "./json";
import { diff, type Edit } from "./myers";

export type MessageChange =
  | { readonly kind: "same"; readonly count: number; readonly messages: readonly MessageView[] }
  | { readonly kind: "added"; readonly after: MessageView; readonly isAnswer: boolean }
  | { readonly kind: "removed"; readonly before: MessageView }
  | { readonly kind: "changed"; readonly before: MessageView; readonly after: MessageView };

export interface ParamChange {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface Comparison {
  readonly params: readonly ParamChange[];
  readonly toolsAdded: readonly string[];
  readonly toolsRemoved: readonly string[];
  readonly system: readonly MessageChange[];
  readonly messages: readonly MessageChange[];
  /** Where the two requests first differ, in the order a prompt cache reads them; null when one merely continues the other. */
  readonly breaksAt: string | null;
}

function partKey(part: PartView): string {
  return [part.kind, part.text.trim(), part.tool_id ?? "", part.name ?? "", (part.arguments ?? "").replace(/\s+/g, "")].join("\u0000");
}

/** Equal content: the same stored node, or the same words though cache marks or white space differ. */
export function isSameMessage(left: MessageView, right: MessageView): boolean {
  if (left.node !== "" && left.node === right.node) return true;
  return (
    left.role === right.role &&
    left.parts.length === right.parts.length &&
    left.parts.every((part, at) => partKey(part) === partKey(right.parts[at] as PartView))
  );
}

/** Whether a message is the previous answer, put back by the client: told by its text and tool uses alone. */
export function isAnswerOf(message: MessageView, answer: MessageView | undefined): boolean {
  if (!answer || message.role !== answer.role) return false;
  const said = (each: MessageView) =>
    each.parts
      .filter((part) => part.kind === "text" || part.kind === "tool_use")
      .map((part) => (part.kind === "text" ? part.text.trim() : (part.tool_id ?? part.name ?? "")))
      .filter(Boolean)
      .join("\u0000");
  return said(message) !== "" && said(message) === said(answer);
}

/** Runs of equal messages become one entry; a removal beside an addition of the same role becomes a change. */
export function changes(edits: readonly Edit<MessageView>[], answer?: MessageView): readonly MessageChange[] {
  const found: MessageChange[] = [];
  const removed: MessageView[] = [];
  const flush = () => {
    for (const before of removed.splice(0)) found.push({ kind: "removed", before });
  };
  for (const edit of edits) {
    const last = found.at(-1);
    if (edit.kind === "removed") removed.push(edit.before);
    else if (edit.kind === "added") {
      const paired = removed.findIndex((before) => before.role === edit.after.role);
      if (paired >= 0) found.push({ kind: "changed", before: removed.splice(paired, 1)[0] as MessageView, after: edit.after });
      else found.push({ kind: "added", after: edit.after, isAnswer: isAnswerOf(edit.after, answer) });
    } else {
      flush();
      if (last?.kind === "same" && found.at(-1) === last) {
        found[found.length - 1] = { kind: "same", count: last.count + 1, messages: [...last.messages, edit.after] };
      } else found.push({ kind: "same", count: 1, messages: [edit.after] });
    }
  }
  flush();
  return found;
}

function paramChanges(before: string, after: string): readonly ParamChange[] {
  const old = new Map(members(before));
  const fresh = new Map(members(after));
  const names = [...new Set([...old.keys(), ...fresh.keys()])];
  return names
    .map((name) => ({ name, before: old.get(name) ?? null, after: fresh.get(name) ?? null }))
    .filter((change) => change.before !== change.after);
}

/** Index of the first message that is not simply what the previous turn had; null when the whole previous list is kept. */
function firstBreak(before: readonly MessageView[], after: readonly MessageView[]): number | null {
  for (let at = 0; at < before.length; at += 1) {
    const mine = after[at];
    if (!mine || !isSameMessage(before[at] as MessageView, mine)) return at;
  }
  return null;
}

export function compare(previous: CallDetail, current: CallDetail): Comparison {
  const oldTools = new Set(previous.tools);
  const newTools = new Set(current.tools);
  const toolsAdded = current.tools.filter((tool) => !oldTools.has(tool));
  const toolsRemoved = previous.tools.filter((tool) => !newTools.has(tool));
  const systemBreak = firstBreak(previous.system, current.system) !== null || previous.system.length !== current.system.length;
  const messageBreak = firstBreak(previous.messages, current.messages);
  const areToolsChanged = toolsAdded.length > 0 || toolsRemoved.length > 0 || previous.tools.some((tool, at) => tool !== current.tools[at]);
  return {
    params: paramChanges(previous.params, current.params),
    toolsAdded,
    toolsRemoved,
    system: changes(diff(previous.system, current.system, isSameMessage)),
    messages: changes(diff(previous.messages, current.messages, isSameMessage), previous.answers[0]),
    breaksAt:
      previous.call.model !== current.call.model
        ? "the model"
        : areToolsChanged
          ? "the tools"
          : systemBreak
            ? "the system prompt"
            : messageBreak === null
              ? null
              : `message ${messageBreak + 1}`,
  };
}

export type WordEdit = { readonly kind: "same" | "added" | "removed"; readonly text: string };

/** Word by word; neighbouring pieces of one kind are joined. */
export function wordDiff(before: string, after: string): readonly WordEdit[] {
  const words = (text: string) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const joined: WordEdit[] = [];
  for (const edit of diff(words(before), words(after), (left, right) => left === right)) {
    const text = edit.kind === "removed" ? edit.before : edit.after;
    const last = joined.at(-1);
    if (last?.kind === edit.kind) joined[joined.length - 1] = { kind: edit.kind, text: last.text + text };
    else joined.push({ kind: edit.kind, text });
  }
  return joined;
}
