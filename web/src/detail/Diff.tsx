import { useMemo } from "preact/hooks";
import { compare, type MessageChange, wordDiff } from "../lib/compare";
import { clock, count, plural, shortId, tokens } from "../lib/format";
import { visible } from "../lib/visible";
import { ProblemNotice } from "../shell/Notice";
import { trace } from "../state/app";
import { go } from "../state/route";
import { previousTurn, useDetail } from "../state/turns";
import type { CallDetail, CallRow, MessageView } from "../types.gen";
import { Message, messageText } from "./Message";
import { toolNames } from "./Parts";
import { readTool } from "./Request";

function Words({ before, after }: { before: MessageView; after: MessageView }) {
  const edits = useMemo(() => wordDiff(visible(messageText(before)), visible(messageText(after))), [before, after]);
  return (
    <pre class="plain word-diff said">
      {edits.map((edit, index) => {
        if (edit.kind === "removed") return <del key={index}>{edit.text}</del>;
        if (edit.kind === "added") return <ins key={index}>{edit.text}</ins>;
        return edit.text;
      })}
    </pre>
  );
}

function Change({ change, names }: { change: MessageChange; names: ReadonlyMap<string, string> }) {
  switch (change.kind) {
    case "same":
      return (
        <details class="diff-same">
          <summary>{plural(change.count, "message")} unchanged</summary>
          {change.messages.map((message, index) => (
            <Message key={index} message={message} names={names} folded />
          ))}
        </details>
      );
    case "added":
      return (
        <div class="diff-block diff-added">
          <span class="diff-sign">+ {change.isAnswer ? "the previous answer, sent back" : "added"}</span>
          <Message message={change.after} names={names} />
        </div>
      );
    case "removed":
      return (
        <div class="diff-block diff-removed">
          <span class="diff-sign">− removed</span>
          <Message message={change.before} names={names} />
        </div>
      );
    case "changed":
      return (
        <div class="diff-block diff-changed">
          <span class="diff-sign">± changed: {visible(change.after.role)}</span>
          <Words before={change.before} after={change.after} />
        </div>
      );
  }
}

/** What the prompt cache made of it: where the common beginning ends, and what the provider says it read. */
function CacheLine({ current, breaksAt }: { current: CallRow; breaksAt: string | null }) {
  const read = current.tokens_cache_read;
  const said = read === null ? null : `${tokens(read)} of ${tokens(current.tokens_input)} came from the prompt cache.`;
  return (
    <p class={`callout${breaksAt === null ? "" : " callout-warn"}`}>
      {breaksAt === null ? (
        <>
          <b>The beginning is kept.</b> Everything the previous turn sent comes first again.
        </>
      ) : (
        <>
          <b>The beginning changes at {breaksAt}.</b> From there on the prompt cache cannot be used.
        </>
      )}
      {said && ` ${said}`}
    </p>
  );
}

function Compared({ previous, current }: { previous: CallDetail; current: CallDetail }) {
  const found = useMemo(() => compare(previous, current), [previous, current]);
  const names = useMemo(() => toolNames([...previous.messages, ...current.messages]), [previous, current]);
  const isSystemSame = found.system.every((change) => change.kind === "same");
  return (
    <>
      <CacheLine current={current.call} breaksAt={found.breaksAt} />
      {previous.call.model !== current.call.model && (
        <p class="diff-param">
          <b>model</b> <del>{visible(previous.call.model ?? "none")}</del> <ins>{visible(current.call.model ?? "none")}</ins>
        </p>
      )}
      {found.params.map((param) => (
        <p key={param.name} class="diff-param said">
          <b>{visible(param.name)}</b> {param.before !== null && <del>{visible(param.before)}</del>}{" "}
          {param.after !== null && <ins>{visible(param.after)}</ins>}
        </p>
      ))}
      {(found.toolsAdded.length > 0 || found.toolsRemoved.length > 0) && (
        <p class="diff-param said">
          <b>tools</b>{" "}
          {found.toolsRemoved.map((tool, index) => (
            <del key={index}>{visible(readTool(tool).name)} </del>
          ))}
          {found.toolsAdded.map((tool, index) => (
            <ins key={index}>{visible(readTool(tool).name)} </ins>
          ))}
        </p>
      )}
      {!isSystemSame && (
        <section class="block">
          <h3>System</h3>
          {found.system.map((change, index) => (
            <Change key={index} change={change} names={names} />
          ))}
        </section>
      )}
      <section class="block">
        <h3>
          Messages{" "}
          <span class="dim">
            {count(previous.messages.length)} → {count(current.messages.length)}
          </span>
        </h3>
        {found.messages.map((change, index) => (
          <Change key={index} change={change} names={names} />
        ))}
      </section>
    </>
  );
}

export function Diff({ detail }: { detail: CallDetail }) {
  trace.version.value;
  const before = previousTurn(detail.call, trace.calls, trace.edges);
  const previous = useDetail(before?.call_id ?? null);
  if (!before) {
    return <p class="dim empty-line">This is the first turn of its conversation: there is nothing to compare it with.</p>;
  }
  return (
    <div class="diff">
      <p class="panel-tools">
        <span class="dim">Against the previous turn,</span>
        <button type="button" class="link" onClick={() => go({ call: before.call_id })}>
          {clock(before.created_at)} · <code>{shortId(before.call_id)}</code>
        </button>
      </p>
      {previous.problem && <ProblemNotice problem={previous.problem} />}
      {!previous.detail && !previous.problem && <p class="dim empty-line">Loading the previous turn …</p>}
      {previous.detail && <Compared previous={previous.detail} current={detail} />}
    </div>
  );
}
