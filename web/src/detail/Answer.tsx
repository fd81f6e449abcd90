import { Fragment } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { oneLine } from "../lib/format";
import { visible } from "../lib/visible";
import { CopyButton } from "../shell/Copy";
import { useToolSpans } from "../state/tools";
import type { CallDetail, CallRow, MessageView } from "../types.gen";
import { Part, toolNames } from "./Parts";
import { isPlain, togglePlain } from "./Prose";
import { ToolFate } from "./ToolFate";

const FINISH_WORDS: Record<string, string> = {
  end_turn: "the model finished",
  stop: "the model finished",
  tool_use: "the model asks for a tool",
  tool_calls: "the model asks for a tool",
  max_tokens: "cut: the token limit was reached",
  length: "cut: the token limit was reached",
  content_filter: "cut: the provider's content filter",
  refusal: "the model refused",
};

function noAnswer(row: CallRow): string {
  if (row.status === "cancelled") return "No answer: the client gave the call up.";
  return row.error === null ? "No answer that could be read." : "No answer: the call failed.";
}

export function answerText(message: MessageView): string {
  return message.parts
    .filter((part) => part.kind === "text" || part.kind === "refusal")
    .map((part) => part.text)
    .join("");
}

/** Keeps the end in sight while text arrives, until the reader scrolls up. */
function useFollow(isRunning: boolean, grown: unknown) {
  const marker = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = marker.current?.closest<HTMLElement>(".tab-panel");
    if (!isRunning || !box) return;
    const gap = box.scrollHeight - box.scrollTop - box.clientHeight;
    if (gap < 160) box.scrollTop = box.scrollHeight;
  }, [grown]);
  return marker;
}

function Growing({ detail }: { detail: CallDetail }) {
  const message = detail.partial[0];
  const marker = useFollow(true, message);
  return (
    <div class="answer is-growing" aria-live="off">
      {message?.parts.map((part, index) => (
        <Part key={index} part={part} names={EMPTY} unfolded isGrowing={index === message.parts.length - 1} />
      ))}
      <div class="waiting-line" ref={marker} role="status">
        <span class="caret" aria-hidden="true" />
        {message ? "streaming" : detail.call.http_status === null ? "waiting for the provider" : "answer begun"}
      </div>
    </div>
  );
}

const EMPTY: ReadonlyMap<string, string> = new Map();

/** The how many-th tool use of a message a part is. */
function toolNumber(message: MessageView, index: number): number {
  return message.parts.slice(0, index).filter((part) => part.kind === "tool_use").length;
}

export function Answer({ detail }: { detail: CallDetail }) {
  const { call: row, answers } = detail;
  const names = useMemo(() => toolNames(answers), [answers]);
  const runs = useToolSpans().get(row.call_id) ?? [];
  const spans = new Map(runs.map((span) => [span.number, span]));
  // Between the end of the stream and the final answer the text that was read stays.
  if (row.status === "running" || (answers.length === 0 && detail.partial.length > 0)) return <Growing detail={detail} />;
  const whole = answers[0] ? answerText(answers[0]) : "";
  return (
    <div class="answer">
      <div class="panel-tools">
        {row.finish_reason && (
          <span class="dim" title={row.finish_reason}>
            {FINISH_WORDS[row.finish_reason] ?? `finish reason: ${oneLine(visible(row.finish_reason))}`}
          </span>
        )}
        <span class="spring" />
        <button
          type="button"
          class="button plain"
          aria-pressed={isPlain.value}
          onClick={togglePlain}
          title="Show texts exactly as they were written"
        >
          Plain text
        </button>
        {whole && <CopyButton text={whole} label="Copy the answer" />}
      </div>
      {answers.length === 0 && <p class="dim empty-line">{noAnswer(row)}</p>}
      {answers.map((message, choice) => (
        <section key={choice} class="choice">
          {answers.length > 1 && <h3>Choice {choice + 1}</h3>}
          {message.parts.map((part, index) => (
            <Fragment key={index}>
              <Part part={part} names={names} unfolded />
              {choice === 0 && part.kind === "tool_use" && <ToolFate span={spans.get(toolNumber(message, index))} />}
            </Fragment>
          ))}
          {message.parts.length === 0 && <p class="dim empty-line">The answer is empty.</p>}
        </section>
      ))}
    </div>
  );
}
