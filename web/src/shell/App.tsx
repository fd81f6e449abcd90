import { AgentPane } from "../detail/AgentPane";
import { CallPane } from "../detail/DetailPane";
import { ToolPane } from "../detail/ToolPane";
import { useKeys } from "../lib/keys";
import { stepTrace, TraceListPane } from "../list/TraceListPane";
import { closedDoor, shownCall } from "../state/app";
import { place } from "../state/route";
import { turnTheme } from "../state/theme";
import { stepCall } from "../trace/step";
import { TracePane } from "../trace/TracePane";
import { Help, helpIsOpen } from "./Help";
import { Home } from "./Home";
import { TopBar } from "./TopBar";

function step(by: number): void {
  if (place.peek().trace === null) stepTrace(by);
  else stepCall(by);
}

export function App() {
  useKeys(
    () => [
      {
        key: "?",
        label: "?",
        group: "Everywhere",
        says: "this help",
        run: () => {
          helpIsOpen.value = true;
        },
      },
      { key: "t", label: "t", group: "Everywhere", says: "theme: the system's, light, dark", run: turnTheme },
      { key: "j", label: "j", group: "Trace", says: "next call (with no trace open: next trace)", run: () => step(1) },
      { key: "k", label: "k", group: "Trace", says: "previous call (with no trace open: previous trace)", run: () => step(-1) },
    ],
    [],
  );
  const door = closedDoor.value;
  if (door) {
    return (
      <main>
        <div class="notice centred" role="alert">
          <h2>{door.message}</h2>
          <p>{door.hint || "Open the link that the dashboard printed when it started: it carries the token."}</p>
        </div>
      </main>
    );
  }
  const at = place.value;
  const hasTrace = at.trace !== null || at.lone !== null;
  const isInView = at.view === "conversation" && at.tab === null;
  const detail = at.agent !== null && at.call === null ? "agent" : at.tool !== null && at.call !== null ? "tool" : shownCall() !== null && !isInView ? "call" : null;
  return (
    <div class={`page${hasTrace ? " has-trace" : ""}${detail === null ? " no-detail" : ""}`}>
      <TopBar />
      <TraceListPane />
      <main class="pane centre" aria-label="Trace">
        {hasTrace ? <TracePane key={at.trace ?? ""} /> : <Home />}
      </main>
      {detail === "agent" && <AgentPane />}
      {detail === "tool" && <ToolPane />}
      {detail === "call" && <CallPane />}
      <Help />
    </div>
  );
}
