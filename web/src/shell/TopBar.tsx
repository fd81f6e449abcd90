import { bytes, count, oneLine, plural, shortId } from "../lib/format";
import { visible } from "../lib/visible";
import { call, feedState, newsAge, now, status, trace } from "../state/app";
import { go, openTrace, place } from "../state/route";
import { theme, turnTheme } from "../state/theme";
import { helpIsOpen } from "./Help";
import { Brand, MoonIcon, SunIcon, SystemIcon } from "./icons";

/** Less than this waiting in the journal is the normal breath of the recorder. */
const LAG_SHOWN_BYTES = 1024 * 1024;

function Crumbs() {
  const at = place.value;
  trace.version.value;
  const home = (event: MouseEvent) => {
    event.preventDefault();
    openTrace(null);
  };
  const row = trace.row;
  const open = call.detail.value?.call;
  return (
    <nav class="crumbs" aria-label="Where you are">
      <a href="/" onClick={home}>
        Traces
      </a>
      {at.trace !== null && (
        <>
          <span class="slash">/</span>
          <button type="button" class="ellipsis said" title={at.trace} onClick={() => go({ call: null, agent: null })}>
            {oneLine(visible(row?.name || row?.task_description || shortId(at.trace)))}
          </button>
        </>
      )}
      {at.call !== null && open && (
        <>
          <span class="slash leaf">/</span>
          <span class="ellipsis leaf said" aria-current="page">
            {visible(open.model ?? open.path)} {shortId(open.call_id)}
          </span>
        </>
      )}
    </nav>
  );
}

function Connection() {
  const state = feedState.value;
  if (state.kind === "reconnecting") {
    const seconds = Math.max(0, Math.ceil((state.at - now.value) / 1000));
    return (
      <span class="state warn" role="status" title={`Attempt ${state.attempt}; nothing is lost, the page catches up by itself.`}>
        <span class="dot" />
        reconnecting<span class="long">{seconds > 0 ? ` in ${seconds} s` : " …"}</span>
      </span>
    );
  }
  if (state.kind === "connecting") {
    return (
      <span class="state" role="status">
        connecting …
      </span>
    );
  }
  const late = newsAge.value;
  if (late !== null) {
    return (
      <span class="state warn" role="status">
        <span class="dot" />
        behind by {Math.round(late / 1000)} s
      </span>
    );
  }
  return (
    <span class="state" role="status" title="Everything recorded is on this page as it happens.">
      <span class="dot" />
      live
    </span>
  );
}

function Trouble() {
  const told = status.value;
  if (!told) return null;
  const lag = told.journal_lag_bytes ?? 0;
  return (
    <>
      {told.records_dropped > 0 && (
        <span class="state bad" role="status" title="Frames that could not be kept. The calls themselves were relayed.">
          <span class="dot" />
          {plural(told.records_dropped, "record")} dropped
        </span>
      )}
      {told.proxy?.journal_degraded && (
        <span
          class="state warn"
          role="status"
          title="Appends to the journal failed or stalled: frames wait in memory until the disk answers."
        >
          <span class="dot" />
          journal degraded
        </span>
      )}
      {told.proxy?.troubles.map((trouble) => (
        <span key={trouble.what} class="state bad" role="status" title={visible(trouble.why)}>
          <span class="dot" />
          {trouble.what} does not work
        </span>
      ))}
      {told.proxy?.otlp && told.proxy.otlp.missed_calls > 0 && (
        <span class="state warn" role="status" title={`They are recorded; the collector at ${told.proxy.otlp.endpoint} did not get them.`}>
          <span class="dot" />
          {plural(told.proxy.otlp.missed_calls, "call")} not sent on
        </span>
      )}
      {lag > LAG_SHOWN_BYTES && (
        <span class="state warn" role="status" title="Recorded safely in the journal, not in the database yet.">
          <span class="dot" />
          recorder {bytes(lag)} behind
        </span>
      )}
      {told.proxy && !told.proxy.running && (
        <span class="state" title={`The proxy that last wrote to ${told.db} is not running. What it recorded is here.`}>
          proxy stopped
        </span>
      )}
      {told.proxy?.running && told.proxy.calls_open !== null && told.proxy.calls_open > 0 && (
        <span class="state" title="Calls passing through the proxy at this moment">
          {count(told.proxy.calls_open)} open
        </span>
      )}
    </>
  );
}

function ThemeButton() {
  const words = { system: "Theme: the system's", light: "Theme: light", dark: "Theme: dark" } as const;
  const Drawn = { system: SystemIcon, light: SunIcon, dark: MoonIcon }[theme.value];
  return (
    <button type="button" class="icon-button" title={`${words[theme.value]} (t)`} aria-label={words[theme.value]} onClick={turnTheme}>
      <Drawn />
    </button>
  );
}

export function TopBar() {
  return (
    <header class="bar">
      <a
        class="brand"
        href="/"
        aria-label="anton proxy: all traces"
        onClick={(event) => {
          event.preventDefault();
          openTrace(null);
        }}
      >
        <Brand />
        <span>anton</span>
      </a>
      <Crumbs />
      <div class="bar-right">
        <Trouble />
        <Connection />
        <ThemeButton />
        <button
          type="button"
          class="icon-button"
          aria-label="Keyboard help"
          title="Keyboard help (?)"
          onClick={() => {
            helpIsOpen.value = true;
          }}
        >
          <span aria-hidden="true">?</span>
        </button>
      </div>
    </header>
  );
}
