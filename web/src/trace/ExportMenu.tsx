import { useEffect, useRef, useState } from "preact/hooks";
import { api, EXPORT_FORMATS } from "../lib/api";
import { DownloadIcon } from "../shell/icons";

const WORDS: Record<(typeof EXPORT_FORMATS)[number], readonly [string, string]> = {
  jsonl: ["JSON lines", "every byte; anton proxy import reads it"],
  csv: ["CSV", "a row per call, for spreadsheets"],
  har: ["HAR", "what crossed the wire, for HTTP tools"],
  html: ["HTML page", "one file to read and to send"],
};

/** Downloads of one trace. Calls that still run are left out. */
export function ExportMenu({ traceId }: { traceId: string }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const close = (focus: boolean) => {
    setOpen(false);
    if (focus) box.current?.querySelector("button")?.focus();
  };

  useEffect(() => {
    if (!open) return;
    const leave = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", leave);
    document.addEventListener("focusin", leave);
    return () => {
      document.removeEventListener("pointerdown", leave);
      document.removeEventListener("focusin", leave);
    };
  }, [open]);

  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape" && open) {
      event.stopPropagation();
      close(true);
    }
  };

  return (
    <div class="export" ref={box} onKeyDown={onKey}>
      <button type="button" class="button" aria-haspopup="true" aria-expanded={open} onClick={() => setOpen(!open)}>
        <DownloadIcon /> Export
      </button>
      {open && (
        <ul class="export-menu" aria-label="Export this trace">
          {EXPORT_FORMATS.map((format) => (
            <li key={format}>
              <a href={api.exportUrl(format, traceId)} download="" onClick={() => close(true)}>
                {WORDS[format][0]}
                <small>{WORDS[format][1]}</small>
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
