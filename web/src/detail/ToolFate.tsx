import { go } from "../state/route";
import { fateWords } from "../trace/tools";
import type { ToolSpan } from "../types.gen";
import { ToolMark } from "./ToolMark";

/** Below a tool use of an answer: what became of it, and the way to its result. */
export function ToolFate({ span }: { span: ToolSpan | undefined }) {
  if (!span) return null;
  return (
    <p class="tool-fate">
      <ToolMark state={span.state} />
      <button type="button" class="link" onClick={() => go({ call: span.call_id, agent: null, tool: span.number })}>
        {fateWords([span])}
      </button>
      {span.opened.map((threadId) => (
        <button key={threadId} type="button" class="link" onClick={() => go({ agent: threadId, call: null })}>
          opened an agent
        </button>
      ))}
    </p>
  );
}
