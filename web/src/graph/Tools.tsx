import type { Signal } from "@preact/signals";
import { plural } from "../lib/format";
import { FitIcon } from "../shell/icons";
import { go, place } from "../state/route";

interface Props {
  /** Helper calls in this trace; 0 shows no button. */
  readonly helpers: number;
  readonly asList: Signal<boolean>;
  readonly onAll: (open: readonly string[]) => void;
  readonly onFit: () => void;
}

export function GraphTools({ helpers, asList, onAll, onFit }: Props) {
  const { open } = place.value;
  const isAll = open.includes("*");
  const isNone = open.every((each) => each === "helpers");
  const hasHelpers = open.includes("helpers");
  const keep = hasHelpers ? ["helpers"] : [];
  return (
    <div class="graph-tools">
      <div class="segments" role="group" aria-label="Zoom level">
        <button
          type="button"
          class="button"
          aria-pressed={isNone}
          onClick={() => onAll(keep)}
          title="One node per agent; double click unfolds one"
        >
          Agents
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={isAll}
          onClick={() => onAll(["*", ...keep])}
          title="Every agent unfolded into its calls"
        >
          Calls
        </button>
      </div>
      {helpers > 0 && (
        <button
          type="button"
          class="button"
          aria-pressed={hasHelpers}
          title="Titles, probes, token counts and the like"
          onClick={() => go({ open: hasHelpers ? open.filter((each) => each !== "helpers") : [...open, "helpers"] }, "replace")}
        >
          {plural(helpers, "helper call")}
        </button>
      )}
      <button
        type="button"
        class="button"
        aria-pressed={asList.value}
        onClick={() => {
          asList.value = !asList.value;
        }}
      >
        As a list
      </button>
      {!asList.value && (
        <button type="button" class="button" onClick={onFit} title="Fit (f)">
          <FitIcon /> Fit
        </button>
      )}
    </div>
  );
}
