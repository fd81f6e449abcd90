import type { ComponentChildren } from "preact";
import type { Problem } from "../lib/api";

/** What went wrong, what to do, and a way to try again. */
export function ProblemNotice({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div class="notice" role="alert">
      <h2>{problem.message}</h2>
      {problem.hint && <p>{problem.hint}</p>}
      {retry && (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Notice({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="notice">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
