import { useMemo } from "preact/hooks";
import { inkJson, layOut } from "../lib/json";
import { visible } from "../lib/visible";
import { Folded } from "./Folded";

/** Colouring more than this costs more than it helps. */
const LONGEST_INKED_CHARS = 40_000;

function Inked({ text }: { text: string }) {
  const pieces = useMemo(() => (text.length <= LONGEST_INKED_CHARS ? inkJson(text) : [{ ink: "mark" as const, text }]), [text]);
  return (
    <pre class="json said">
      {pieces.map((piece, index) =>
        piece.ink === "mark" ? (
          piece.text
        ) : (
          <span key={index} class={`ink-${piece.ink}`}>
            {piece.text}
          </span>
        ),
      )}
    </pre>
  );
}

/** JSON laid out; what is no JSON (yet) is shown as it stands. */
export function Json({ text, unfolded = false }: { text: string; unfolded?: boolean }) {
  const laidOut = useMemo(() => visible(layOut(text) ?? text), [text]);
  return <Folded text={laidOut} unfolded={unfolded} draw={(shown) => <Inked text={shown} />} />;
}
