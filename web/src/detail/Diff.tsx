// What tells a request from the turn before it. The server compares; this only draws, so that the command line says the same.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { api, type Problem } from "../lib/api";
import { clock, count, plural, shortId } from "../lib/format";
import { visible } from "../lib/visible";
import { ProblemNotice } from "../shell/Notice";
import { trace } from "../state/app";
import { go } from "../state/route";
import { previousTurn } from "../state/turns";
import type { CallDetail, Change, Comparison, MessageView } from "../types.gen";
import { CacheReport } from "./CacheReport";
import { Edits } from "./Edits";
import { Message } from "./Message";
import { toolNames } from "./Parts";

const SIGNS: Readonly<Record<string, string>> = { added: "+", removed: "−", changed: "±", moved: "⇅" };

interface Entry {
  readonly change: Change;
  readonly entries: readonly MessageView[];
  readonly names: ReadonlyMap<string, string>;
  readonly word: string;
}

function heading({ change, word }: Entry): string {
  const at = change.after_at ?? change.before_at;
  const name = word === "message" ? change.name : word === "tool" ? "" : word;
  const place = at === null ? "" : ` ${at + 1}`;
  const what = word === "tool" || word === "parameter" ? change.name : `${name}${place}`;
  const moved = change.kind === "moved" && change.before_at !== null ? `, from place ${change.before_at + 1} to ${(at ?? 0) + 1}` : "";
  return `${SIGNS[change.kind] ?? "="} ${visible(what)} ${change.kind === "same" ? "" : change.kind}${moved}${change.note ? ` · ${change.note}` : ""}`;
}

function Same({ change, entries, names, word }: Entry) {
  const shown = change.after_at === null ? [] : entries.slice(change.after_at, change.after_at + change.count);
  const said = `${plural(change.count, word)} unchanged${change.note ? ` · ${change.note}` : ""}`;
  if (shown.length === 0) return <p class="diff-line dim">{said}</p>;
  return (
    <details class="diff-same">
      <summary>{change.name ? `${visible(change.name)} ${(change.after_at ?? 0) + 1} unchanged · ${change.note}` : said}</summary>
      {shown.map((message, index) => (
        <Message key={index} message={message} names={names} folded />
      ))}
    </details>
  );
}

function Entry(entry: Entry) {
  const { change, entries, names } = entry;
  if (change.kind === "same") return <Same {...entry} />;
  const whole = change.kind === "added" && change.after_at !== null ? entries[change.after_at] : undefined;
  return (
    <div class={`diff-block diff-${change.kind}`}>
      <span class="diff-sign said">{heading(entry)}</span>
      {whole ? <Message message={whole} names={names} /> : change.edits.length > 0 && <Edits edits={change.edits} />}
    </div>
  );
}

function Part(props: { title: string; word: string; changes: readonly Change[]; entries?: readonly MessageView[]; before?: number; after?: number }) {
  const names = useMemo(() => toolNames(props.entries ?? []), [props.entries]);
  if (props.changes.length === 0) return null;
  return (
    <section class="block">
      <h3>
        {props.title}{" "}
        {props.before !== undefined && (
          <span class="dim">
            {count(props.before)} → {count(props.after ?? 0)}
          </span>
        )}
      </h3>
      {props.changes.map((change, index) => (
        <Entry key={index} change={change} entries={props.entries ?? []} names={names} word={props.word} />
      ))}
    </section>
  );
}

function sizes(changes: readonly Change[]): { before: number; after: number } {
  const sum = (which: "before_at" | "after_at") =>
    changes.filter((change) => change[which] !== null).reduce((total, change) => total + change.count, 0);
  return { before: sum("before_at"), after: sum("after_at") };
}

function isTold(changes: readonly Change[]): boolean {
  return changes.some((change) => change.kind !== "same" || change.note !== "");
}

/** What stays as it was: one line for all of it. */
function unchanged(found: Comparison): string {
  const words = [
    [found.tools, "tool"],
    [found.system, "system block"],
  ] as const;
  return words
    .filter(([changes]) => changes.length > 0 && !isTold(changes))
    .map(([changes, word]) => plural(sizes(changes).after, word))
    .join(" and ");
}

function Compared({ found, detail }: { found: Comparison; detail: CallDetail }) {
  const same = unchanged(found);
  return (
    <>
      <CacheReport cache={found.cache} />
      {found.same && <p class="dim empty-line">The two requests are the same.</p>}
      <Part title="Parameters" word="parameter" changes={found.params} />
      {isTold(found.tools) && <Part title="Tools" word="tool" changes={found.tools} {...sizes(found.tools)} />}
      {isTold(found.system) && (
        <Part title="System" word="block" changes={found.system} entries={detail.system} {...sizes(found.system)} />
      )}
      {same !== "" && <p class="diff-line dim">{same} unchanged</p>}
      <Part title="Messages" word="message" changes={found.messages} entries={detail.messages} {...sizes(found.messages)} />
    </>
  );
}

export function Diff({ detail }: { detail: CallDetail }) {
  trace.version.value;
  const before = previousTurn(detail.call, trace.calls, trace.edges);
  const found = useSignal<Comparison | null>(null);
  const problem = useSignal<Problem | null>(null);
  const { call_id: id, status } = detail.call;
  const against = before?.call_id;
  useEffect(() => {
    if (against === undefined) return undefined;
    const abort = new AbortController();
    api.diff(id, against, abort.signal).then(
      (comparison) => {
        found.value = comparison;
        problem.value = null;
      },
      (failure: Problem) => {
        if (!abort.signal.aborted) problem.value = failure;
      },
    );
    return () => abort.abort();
  }, [id, against, status]);
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
      {problem.value && !found.value && <ProblemNotice problem={problem.value} />}
      {!found.value && !problem.value && <p class="dim empty-line">Comparing the two turns …</p>}
      {found.value && <Compared found={found.value} detail={detail} />}
    </div>
  );
}
