// One table of keys for the whole page: it runs them and it is what the help sheet shows.

import { type Inputs, useLayoutEffect } from "preact/hooks";

export interface Key {
  /** As in `KeyboardEvent.key`. */
  readonly key: string;
  /** As shown; several keys of one meaning are listed once. */
  readonly label: string;
  readonly group: string;
  readonly says: string;
  readonly run: (event: KeyboardEvent) => void;
  /** Also while typing in a field. */
  readonly inFields?: boolean;
}

const table: Key[] = [];

export function bindKeys(keys: readonly Key[]): () => void {
  table.push(...keys);
  return () => {
    for (const key of keys) table.splice(table.indexOf(key), 1);
  };
}

/** Bind keys while a component stands. In the same turn as it is drawn: whoever sees it may press its key at once. */
export function useKeys(keys: () => readonly Key[], inputs: Inputs): void {
  useLayoutEffect(() => bindKeys(keys()), inputs);
}

export function boundKeys(): readonly Key[] {
  return table;
}

export function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export function listenForKeys(): void {
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = isField(event.target);
    // The last bound wins: a sheet on top takes Escape from what lies below.
    const found = table.findLast((each) => each.key === event.key && (!typing || each.inFields === true));
    if (!found) return;
    event.preventDefault();
    found.run(event);
  });
}
