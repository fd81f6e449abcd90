import { useSignal } from "@preact/signals";
import { copyText } from "../lib/clipboard";
import { CopyIcon, DoneIcon } from "./icons";

const SHOWN_MS = 1200;

/** A small button that copies `text`; `label` says what it is, as in "Copy call id". */
export function CopyButton({ text, label, class: extra = "" }: { text: string | (() => string); label: string; class?: string }) {
  const done = useSignal(false);
  const copy = async (event: MouseEvent) => {
    event.stopPropagation();
    done.value = await copyText(typeof text === "string" ? text : text());
    setTimeout(() => {
      done.value = false;
    }, SHOWN_MS);
  };
  return (
    <button type="button" class={`icon-button copy ${extra}`} title={done.value ? "Copied" : label} aria-label={label} onClick={copy}>
      {done.value ? <DoneIcon /> : <CopyIcon />}
      <span class="sr" role="status">
        {done.value ? "Copied" : ""}
      </span>
    </button>
  );
}

/** An id: the distinguishing end of it is seen, the whole of it is copied. */
export function Id({ id, label }: { id: string; label: string }) {
  return (
    <span class="id">
      <code class="said" title={id}>
        {id.length > 14 ? `…${id.slice(-8)}` : id}
      </code>
      <CopyButton text={id} label={`Copy ${label}`} />
    </span>
  );
}
