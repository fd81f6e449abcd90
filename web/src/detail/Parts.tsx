// The parts of a message, each drawn for what it is; an unknown part shows its JSON.
import { useSignal } from "@preact/signals";
import { count } from "../lib/format";
import { layOut } from "../lib/json";
import { visible } from "../lib/visible";
import { CopyButton } from "../shell/Copy";
import type { MessageView, PartView } from "../types.gen";
import { Folded } from "./Folded";
import { imageUrl } from "./image";
import { Json } from "./Json";
import { Prose } from "./Prose";

/** Names of the tools by the id of their use, for results that carry only the id. */
export function toolNames(messages: readonly MessageView[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const message of messages) {
    for (const part of message.parts) if (part.kind === "tool_use" && part.tool_id && part.name) names.set(part.tool_id, part.name);
  }
  return names;
}

interface Props {
  readonly part: PartView;
  readonly names: ReadonlyMap<string, string>;
  /** Tool uses and results show one line until they are opened. */
  readonly folded?: boolean;
  readonly unfolded?: boolean;
  readonly isGrowing?: boolean;
}

export function Part({ part, names, folded = false, unfolded = false, isGrowing = false }: Props) {
  switch (part.kind) {
    case "text":
      return <Folded text={part.text} unfolded={unfolded} draw={(text) => <Prose text={text} />} />;
    case "refusal":
      return (
        <div class="part part-refusal">
          <h4>Refusal</h4>
          <Prose text={part.text} />
        </div>
      );
    case "thinking":
      return <Thinking part={part} isOpen={isGrowing} />;
    case "redacted_thinking":
      return <p class="part part-thinking dim">Thinking that the provider keeps to itself.</p>;
    case "tool_use":
      return <ToolUse part={part} isOpen={!folded || isGrowing} />;
    case "tool_result":
      return <ToolResult part={part} name={part.name ?? names.get(part.tool_id ?? "") ?? null} isOpen={!folded} />;
    case "image": {
      const url = imageUrl(part.raw);
      if (url) return <img class="part-image" src={url} alt="Sent with the message" />;
      return <Other part={part} />;
    }
    default:
      return <Other part={part} />;
  }
}

function Thinking({ part, isOpen }: { part: PartView; isOpen: boolean }) {
  return (
    <details class="part part-thinking" open={isOpen || part.text.length < 600}>
      <summary>Thinking · {count(part.text.length)} characters</summary>
      <Folded text={part.text} draw={(text) => <Prose text={text} />} />
    </details>
  );
}

function brief(text: string): string {
  return visible(text.slice(0, 300)).replace(/\s+/g, " ").trim();
}

function ToolUse({ part, isOpen }: { part: PartView; isOpen: boolean }) {
  const open = useSignal(isOpen);
  const input = part.arguments ?? "";
  return (
    <details
      class="part part-tool"
      open={open.value}
      onToggle={(event) => {
        open.value = event.currentTarget.open;
      }}
    >
      <summary>
        <i class="hex" aria-hidden="true" />
        <b class="said">{visible(part.name ?? "tool")}</b>
        {!open.value && <code class="ellipsis said">{brief(input)}</code>}
        {open.value && input && <CopyButton text={input} label="Copy the arguments" />}
      </summary>
      {open.value && (input ? <Json text={input} /> : <p class="dim">no arguments</p>)}
    </details>
  );
}

function ToolResult({ part, name, isOpen }: { part: PartView; name: string | null; isOpen: boolean }) {
  const open = useSignal(isOpen);
  return (
    <details
      class={`part part-result${part.is_error ? " is-error" : ""}`}
      open={open.value}
      onToggle={(event) => {
        open.value = event.currentTarget.open;
      }}
    >
      <summary>
        <span class="arrow" aria-hidden="true">
          ↳
        </span>
        <b class="said">{visible(name ?? "tool result")}</b>
        {part.is_error ? <span class="bad">error</span> : <span class="dim">result</span>}
        {!open.value && <code class="ellipsis said">{brief(part.text)}</code>}
        {open.value && part.text && <CopyButton text={part.text} label="Copy the result" />}
      </summary>
      {open.value && <ResultText text={part.text} />}
    </details>
  );
}

export function ResultText({ text }: { text: string }) {
  if (!text) return <p class="dim">empty</p>;
  if (/^\s*[[{]/.test(text) && layOut(text) !== null) return <Json text={text} />;
  return <Folded text={text} draw={(shown) => <pre class="plain said">{visible(shown)}</pre>} />;
}

function Other({ part }: { part: PartView }) {
  return (
    <div class="part part-other">
      <h4 class="said">{visible(part.kind === "other" ? "unknown block" : part.kind)}</h4>
      {part.text && <Prose text={part.text} />}
      {part.raw && <Json text={part.raw} />}
    </div>
  );
}
