/** A tool's hexagon with what became of it: a cross, a ring that is open, or nothing. */
export function ToolMark({ state }: { state: string }) {
  return (
    <svg class={`tool-mark mark-is-${state}`} viewBox="0 0 16 14" width="16" height="14" aria-hidden="true">
      <polygon points="4.2,1 11.8,1 15.4,7 11.8,13 4.2,13 0.6,7" />
      {state === "failed" && <path d="M5.6 4.6l4.8 4.8m0-4.8l-4.8 4.8" />}
    </svg>
  );
}
