import { visible } from "../lib/visible";
import { CopyButton } from "../shell/Copy";
import type { MessageView } from "../types.gen";
import { Part } from "./Parts";

export function messageText(message: MessageView): string {
  return message.parts.map((part) => part.text || part.arguments || part.raw).join("\n\n");
}

/** What is said of a message that the turn before did not send. */
export const NEW_MARK = "new in this turn";

interface Props {
  readonly message: MessageView;
  readonly names: ReadonlyMap<string, string>;
  readonly number?: number;
  readonly folded?: boolean;
  /** What sets it apart in this turn. */
  readonly mark?: string | undefined;
}

/** A message of the conversation: its role, its number in the request, its parts. */
export function Message({ message, names, number, folded = false, mark }: Props) {
  return (
    <article class={`message role-${/^\w+$/.test(message.role) ? message.role : "other"}${mark ? " is-new" : ""}`}>
      <header>
        <b class="said">{visible(message.role)}</b>
        {number !== undefined && <span class="dim">{number}</span>}
        {mark && <span class="new-mark">{mark}</span>}
        <CopyButton text={() => messageText(message)} label="Copy the message" />
      </header>
      <div class="message-parts">
        {message.parts.map((part, index) => (
          <Part key={index} part={part} names={names} folded={folded} />
        ))}
        {message.parts.length === 0 && <p class="dim">empty</p>}
      </div>
    </article>
  );
}
