// Every state of the page is its URL: what the address bar says is what is shown, so Back works and a link can be shared.
import { computed, signal } from "@preact/signals";

export const VIEWS = ["graph", "timeline", "conversation", "table"] as const;
export type View = (typeof VIEWS)[number];
export const TABS = ["answer", "request", "diff", "raw"] as const;
export type Tab = (typeof TABS)[number];

export interface Place {
  readonly trace: string | null;
  /** A call whose trace is not known yet: `/calls/<id>`. */
  readonly lone: string | null;
  readonly call: string | null;
  /** A selected agent, by its thread. */
  readonly agent: string | null;
  /** A selected run of a tool, by its number among those of the call's answer. */
  readonly tool: number | null;
  readonly view: View;
  /** Null: not chosen; then the answer, or none where the view shows it itself. */
  readonly tab: Tab | null;
  readonly search: string;
  /** Threads unfolded in the graph; `["*"]` is all of them. */
  readonly open: readonly string[];
}

export const HOME: Place = { trace: null, lone: null, call: null, agent: null, tool: null, view: "graph", tab: null, search: "", open: [] };

function oneOf<T extends string>(allowed: readonly T[], value: string | null, usual: T): T {
  return allowed.find((each) => each === value) ?? usual;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function parsePlace(url: URL): Place {
  const [, kind, name] = /^\/(traces|calls)\/([^/]+)\/?$/.exec(url.pathname) ?? [];
  const query = url.searchParams;
  const named = name === undefined ? null : decoded(name);
  return {
    trace: kind === "traces" ? named : null,
    lone: kind === "calls" ? named : null,
    call: query.get("call"),
    agent: query.get("agent"),
    tool: /^\d{1,4}$/.test(query.get("tool") ?? "") ? Number(query.get("tool")) : null,
    view: oneOf(VIEWS, query.get("view"), HOME.view),
    tab: TABS.find((each) => each === query.get("tab")) ?? null,
    search: query.get("q") ?? "",
    open: query.getAll("open"),
  };
}

export function hrefOf(place: Place): string {
  const query = new URLSearchParams();
  if (place.call !== null) query.set("call", place.call);
  if (place.agent !== null) query.set("agent", place.agent);
  if (place.tool !== null) query.set("tool", String(place.tool));
  if (place.view !== HOME.view) query.set("view", place.view);
  if (place.tab !== null) query.set("tab", place.tab);
  for (const thread of place.open) query.append("open", thread);
  if (place.search) query.set("q", place.search);
  const path = place.trace !== null ? `/traces/${encodeURIComponent(place.trace)}` : "/";
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const place = signal<Place>(HOME);
export const selectedTrace = computed(() => place.value.trace);
export const selectedCall = computed(() => place.value.call);

/** Go somewhere: `push` makes a step that Back undoes, `replace` does not. Another call or agent lets a tool go. */
export function go(change: Partial<Place>, how: "push" | "replace" = "push"): void {
  const isElsewhere = "call" in change || "agent" in change;
  const next = { ...place.peek(), ...(isElsewhere ? { tool: null } : {}), ...change };
  const href = hrefOf(next);
  if (href === hrefOf(place.peek())) {
    place.value = next;
    return;
  }
  if (how === "push") history.pushState(null, "", href);
  else history.replaceState(null, "", href);
  place.value = next;
}

/** The detail is closed: the call stays chosen where the view needs one. */
export function closeDetail(): void {
  if (place.peek().view === "conversation") go({ tab: null, agent: null });
  else go({ call: null, agent: null });
}

/** Show a trace, at one of its calls when there is a reason for it: what was selected inside the old one is let go, the view stays. */
export function openTrace(trace: string | null, call: string | null = null): void {
  go({ trace, lone: null, call, agent: null, open: [] });
}

export function startRouting(): void {
  const read = () => {
    place.value = parsePlace(new URL(location.href));
  };
  window.addEventListener("popstate", read);
  read();
}
