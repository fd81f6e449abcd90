import type { ComponentChildren } from "preact";
import { UsageNote } from "../shell/marks";

interface Props {
  readonly label: string;
  readonly title?: string | undefined;
  /** Where a token count comes from. */
  readonly note?: string;
  readonly isWide?: boolean;
  readonly children: ComponentChildren;
}

/** One figure with its name. */
export function Fact({ label, title, note, isWide = false, children }: Props) {
  return (
    <div class={`fact${isWide ? " is-wide" : ""}`} title={title}>
      <dt>
        {label}
        {note && <UsageNote source={note} />}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}
