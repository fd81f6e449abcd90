// The state of a call or a trace: a shape of its own, a word, and only then a colour.

const WORDS: Record<string, string> = {
  running: "running",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled by the client",
  interrupted: "interrupted: a process of the proxy ended",
};

const SHAPES: Record<string, preact.JSX.Element> = {
  running: <circle cx="6" cy="6" r="4" fill="currentColor" />,
  completed: <path d="m2.5 6.5 2.3 2.3L9.5 3.5" />,
  failed: <path d="m3 3 6 6M9 3 3 9" />,
  cancelled: <path d="M6 1.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9M3 9l6-6" />,
  interrupted: <path d="M6 2v4.5M6 9.5v.3" />,
};

/** `isSpoken` false: the word stands beside it. */
export function StatusMark({ status, isSpoken = true }: { status: string; isSpoken?: boolean }) {
  const word = WORDS[status] ?? status;
  return (
    <svg
      class={`mark mark-${status}`}
      viewBox="0 0 12 12"
      role={isSpoken ? "img" : undefined}
      aria-label={isSpoken ? word : undefined}
      aria-hidden={isSpoken ? undefined : true}
      fill="none"
      stroke="currentColor"
      stroke-width="1.7"
      stroke-linecap="round"
      stroke-linejoin="round"
    >
      {isSpoken && <title>{word}</title>}
      {SHAPES[status] ?? <circle cx="6" cy="6" r="4" />}
    </svg>
  );
}

export function StatusBadge({ status }: { status: string }) {
  return (
    <span class={`badge badge-${status}`} title={WORDS[status]}>
      <StatusMark status={status} isSpoken={false} />
      {status}
    </span>
  );
}

/** Where token counts come from, when that is not the provider's final word. */
export function UsageNote({ source }: { source: string }) {
  if (source === "reported") return null;
  const says: Record<string, string> = {
    partial: "reported so far; the stream ended early",
    estimated: "estimated from the text, the provider reported nothing",
    unknown: "the provider reported nothing",
  };
  return (
    <span class="usage-note" title={says[source] ?? source}>
      {source}
    </span>
  );
}
