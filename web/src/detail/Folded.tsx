// A long text shows its beginning and says how much follows.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { count, cut } from "../lib/format";

const SHOWN_CHARS = 1600;
const SHOWN_LINES = 24;
/** A text only this much longer than the limit is shown whole: folding would save nothing. */
const SLACK = 1.25;

export function foldPoint(text: string, chars = SHOWN_CHARS, lines = SHOWN_LINES): number | null {
  let at = -1;
  for (let line = 0; line < lines; line += 1) {
    at = text.indexOf("\n", at + 1);
    if (at === -1) break;
  }
  const byLines = at === -1 ? text.length : at;
  const point = Math.min(byLines, chars);
  return text.length > point * SLACK ? point : null;
}

interface Props {
  readonly text: string;
  readonly draw: (text: string) => ComponentChildren;
  readonly chars?: number;
  readonly lines?: number;
  readonly unfolded?: boolean;
}

export function Folded({ text, draw, chars, lines, unfolded = false }: Props) {
  const isOpen = useSignal(unfolded);
  const point = foldPoint(text, chars, lines);
  if (point === null) return <>{draw(text)}</>;
  return (
    <>
      {draw(isOpen.value ? text : cut(text, point))}
      <button
        type="button"
        class="fold"
        aria-expanded={isOpen.value}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        {isOpen.value ? "Show less" : `Show all ${count(text.length)} characters`}
      </button>
    </>
  );
}
