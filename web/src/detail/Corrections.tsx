// The graph corrected by hand: what was said of a call, and a small panel to say more. It is about the call and all that goes on from it.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, Problem } from "../lib/api";
import { decide, type Said } from "../lib/decide";
import { fullTime } from "../lib/format";
import { useKeys } from "../lib/keys";
import { visible } from "../lib/visible";
import { trace, traces } from "../state/app";
import { go, place } from "../state/route";
import type { CallRow, DecisionView } from "../types.gen";
import { callName, cuttable, ID_CHARS, inWords, openers, otherTraces } from "./choices";

const nameOf = (callId: string) => callName(trace.call(callId), callId);

/** The call may stand in another trace now: the reader goes along. */
async function follow(callId: string): Promise<void> {
  const { call } = await api.call(callId);
  if (call.trace_id !== place.peek().trace) go({ trace: call.trace_id, call: callId, agent: null, open: [] });
}

function asProblem(failure: unknown): Problem {
  return failure instanceof Problem ? failure : new Problem(0, "The page failed to say it.", String(failure));
}

function SaidLine({ said, undo }: { said: DecisionView; undo: () => void }) {
  return (
    <p class="detail-sub correction" title={`said by ${visible(said.made_by)}, ${fullTime(said.made_at)}`}>
      <span>by hand:</span>
      <span class="said ellipsis">{visible(inWords(said, nameOf))}</span>
      <button type="button" class="link" onClick={undo}>
        Undo
      </button>
    </p>
  );
}

function Choice({ verb, words, choose }: { verb: string; words: string; choose: () => void }) {
  return (
    <li>
      <button type="button" class="choice" onClick={choose}>
        <span class="dim">{verb}</span> <span class="said">{visible(words)}</span>
      </button>
    </li>
  );
}

function Panel({ row, say, close }: { row: CallRow; say: (said: Omit<Said, "call_id">) => void; close: () => void }) {
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const calls = openers(trace.calls, row, text);
  const others = otherTraces(traces.rows.values(), row, text);
  const word = text.trim();
  const isId = word.length >= ID_CHARS && !/\s/.test(word);
  return (
    <div
      class="correct"
      role="group"
      aria-label="Correct the graph"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        close();
      }}
    >
      <input
        ref={field}
        type="text"
        value={text}
        aria-label="Who opened it, or to which trace it belongs"
        placeholder="an earlier call or another trace: words or an id"
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <ul>
        {calls.map((one) => (
          <Choice
            key={one.call_id}
            verb="Opened by"
            words={callName(one, one.call_id)}
            choose={() => say({ kind: "opened_by", other: one.call_id })}
          />
        ))}
        {others.map((one) => (
          <Choice
            key={one.trace_id}
            verb="Belongs to"
            words={one.task_description ?? one.name ?? one.trace_id}
            choose={() => say({ kind: "trace", other: one.trace_id })}
          />
        ))}
        {isId && calls.length === 0 && (
          <Choice verb="Opened by the call" words={word} choose={() => say({ kind: "opened_by", other: word })} />
        )}
        {isId && others.length === 0 && (
          <Choice verb="Belongs to the trace" words={word} choose={() => say({ kind: "trace", other: word })} />
        )}
        {cuttable(trace.edges, row).map((edge) => (
          <Choice
            key={edge.edge_id}
            verb={`Cut the ${edge.edge_type} (${edge.evidence}, ${Math.round(edge.confidence * 100)} %) from`}
            words={nameOf(edge.from_call_id)}
            choose={() => say({ kind: "cut", other: edge.from_call_id, edge_type: edge.edge_type })}
          />
        ))}
        <Choice verb="It is" words="a trace of its own" choose={() => say({ kind: "apart" })} />
      </ul>
    </div>
  );
}

export function Corrections({ row }: { row: CallRow }) {
  const [isOpen, setOpen] = useState(false);
  const [said, setSaid] = useState<readonly DecisionView[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  trace.version.value;
  useKeys(() => [{ key: "c", label: "c", group: "Call", says: "correct who opened it, where it belongs", run: () => setOpen(true) }], []);

  // Every version of the call asks again: whoever says or takes back something has the call told anew.
  useEffect(() => {
    const abort = new AbortController();
    decide.of(row.call_id, abort.signal).then(
      (list) => setSaid(list.items),
      () => undefined, // the pane itself says that the server is away
    );
    return () => abort.abort();
  }, [row]);

  const change = async (work: () => Promise<DecisionView>) => {
    if (isBusy) return;
    setBusy(true);
    try {
      await work();
      setOpen(false);
      setProblem(null);
      button.current?.focus();
      await follow(row.call_id);
    } catch (failure) {
      setProblem(asProblem(failure));
    } finally {
      setBusy(false);
    }
  };
  const close = () => {
    setOpen(false);
    setProblem(null);
    button.current?.focus();
  };
  return (
    <div class="corrections">
      {said.map((one) => (
        <SaidLine key={one.decision_id} said={one} undo={() => void change(() => decide.takeBack(one.decision_id))} />
      ))}
      <button
        ref={button}
        type="button"
        class="link correct-button"
        aria-expanded={isOpen}
        disabled={isBusy}
        title="Who opened it, where it belongs, which edge is wrong (c)"
        onClick={() => (isOpen ? close() : setOpen(true))}
      >
        Correct …
      </button>
      {isOpen && <Panel row={row} say={(more) => void change(() => decide.say({ call_id: row.call_id, ...more }))} close={close} />}
      {problem && (
        <p class="callout callout-bad" role="alert">
          <b>{problem.message}</b> {problem.hint}
        </p>
      )}
    </div>
  );
}
