// A changed text in pieces: what was taken out, what was put in, and what stays, folded where it is long.
import { useSignal } from "@preact/signals";
import { plural } from "../lib/format";
import { visible } from "../lib/visible";
import type { Edit } from "../types.gen";

/** Unchanged characters shown on either side of a change. */
const CONTEXT = 160;

function Kept({ text, isFirst, isLast }: { text: string; isFirst: boolean; isLast: boolean }) {
  const open = useSignal(false);
  const head = isFirst ? 0 : CONTEXT;
  const tail = isLast ? 0 : CONTEXT;
  if (open.value || text.length <= head + tail + CONTEXT) return <>{visible(text)}</>;
  const hidden = text.slice(head, text.length - tail);
  const lines = hidden.split("\n").length - 1;
  return (
    <>
      {visible(text.slice(0, head))}
      <button type="button" class="diff-fold" onClick={() => (open.value = true)}>
        ⋮ {lines > 1 ? plural(lines, "line") : plural(hidden.length, "character")} unchanged
      </button>
      {visible(text.slice(text.length - tail))}
    </>
  );
}

export function Edits({ edits }: { edits: readonly Edit[] }) {
  const last = edits.length - 1;
  return (
    <pre class="plain word-diff said">
      {edits.map((edit, index) => {
        if (edit.kind === "removed") return <del key={index}>{visible(edit.text)}</del>;
        if (edit.kind === "added") return <ins key={index}>{visible(edit.text)}</ins>;
        return <Kept key={index} text={edit.text} isFirst={index === 0} isLast={index === last} />;
      })}
    </pre>
  );
}
