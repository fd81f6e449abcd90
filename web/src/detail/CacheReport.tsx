// What the prompt cache made of a turn: kept or lost, why, and what that cost.
import { count, usd } from "../lib/format";
import { visible } from "../lib/visible";
import type { CacheMark, CacheView } from "../types.gen";

const VERDICTS: Readonly<Record<string, string>> = {
  kept: "The prompt cache was kept.",
  partly: "The prompt cache was used in part.",
  lost: "The prompt cache was lost.",
  nothing: "The prompt cache was empty.",
};

function span(seconds: number): string {
  return seconds % 3600 === 0 ? `${seconds / 3600}\u00a0h` : seconds % 60 === 0 ? `${seconds / 60}\u00a0min` : `${seconds}\u00a0s`;
}

function marks(found: readonly CacheMark[]): string {
  if (found.length === 0) return "none";
  const lives = new Set(found.map((mark) => mark.ttl_s));
  const life = (seconds: number | null) => (seconds === null ? "" : ` (${span(seconds)})`);
  if (lives.size > 1) return found.map((mark) => `${mark.place.words}${life(mark.ttl_s)}`).join(", ");
  return `${found.map((mark) => mark.place.words).join(", ")}${life(found[0]?.ttl_s ?? null)}`;
}

function title(cache: CacheView): string {
  const known = VERDICTS[cache.verdict];
  if (known) return known;
  return cache.breaks_at === null ? "The beginning is kept." : `The beginning changes at ${visible(cache.breaks_at.words)}.`;
}

function price(cache: CacheView): string {
  if (cache.missed_tokens) return cache.missed_usd === null ? " What that cost is not known." : ` That cost ${usd(cache.missed_usd)} more.`;
  return cache.saved_usd ? ` That saved ${usd(cache.saved_usd)}.` : "";
}

export function CacheReport({ cache }: { cache: CacheView }) {
  const isBad = cache.verdict === "lost" || cache.verdict === "partly" || (cache.verdict === "unknown" && cache.breaks_at !== null);
  const before = cache.before_break_tokens;
  return (
    <div class={`callout cache-report${isBad ? " callout-warn" : ""}`}>
      <p>
        <b class="said">{title(cache)}</b> {cache.words}
        {price(cache)}
      </p>
      <dl class="cache-facts">
        {cache.reasons.map((reason) => (
          <>
            <dt>{reason.certain ? "Why" : "Perhaps"}</dt>
            <dd class="said">{visible(reason.words)}</dd>
          </>
        ))}
        {cache.breaks_at !== null && (
          <>
            <dt>Differs</dt>
            <dd class="said">
              first at {visible(cache.breaks_at.words)}
              {before !== null && before > 0 && `; about ${count(before)} tokens stand before it`}
            </dd>
          </>
        )}
        {(cache.marks_before.length > 0 || cache.marks_after.length > 0) && (
          <>
            <dt>Marks</dt>
            <dd class="said">
              <span class="dim">before</span> {visible(marks(cache.marks_before))}
              <br />
              <span class="dim">now</span> {visible(marks(cache.marks_after))}
            </dd>
          </>
        )}
      </dl>
      {cache.reasons.length > 0 && cache.source !== "" && (
        <p class="cache-source">
          <a href={cache.source} target="_blank" rel="noreferrer noopener">
            The provider’s rules
          </a>
        </p>
      )}
    </div>
  );
}
