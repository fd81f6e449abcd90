// The exchange as it crossed: heads, bodies, the times of the pieces. Secrets were replaced before anything was kept.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { api, type Problem } from "../lib/api";
import { bytes, count, cut, duration, plural } from "../lib/format";
import { layOut } from "../lib/json";
import { visible } from "../lib/visible";
import { CopyButton } from "../shell/Copy";
import { DownloadIcon } from "../shell/icons";
import { ProblemNotice } from "../shell/Notice";
import type { BodyView, CallRow, RawView } from "../types.gen";
import { Chunks } from "./Chunks";
import { fromBase64, hexDump } from "./hex";
import { Json } from "./Json";

const SHOWN_CHARS = 200_000;
const SHOWN_HEX_BYTES = 8 * 1024;

function useRaw(callId: string, version: string) {
  const raw = useSignal<RawView | null>(null);
  const problem = useSignal<Problem | null>(null);
  const turn = useSignal(0);
  useEffect(() => {
    const abort = new AbortController();
    api.raw(callId, abort.signal).then(
      (found) => {
        raw.value = found;
        problem.value = null;
      },
      (failure: Problem) => {
        if (!abort.signal.aborted) problem.value = failure;
      },
    );
    return () => abort.abort();
  }, [callId, version, turn.value]);
  return {
    raw: raw.value,
    problem: problem.value,
    retry: () => {
      turn.value += 1;
    },
  };
}

function Head({ first, headers }: { first: string; headers: RawView["request_headers"] }) {
  const text = () => [first, ...headers.map(([name, value]) => `${name}: ${value}`)].join("\n");
  return (
    <div class="raw-head">
      <CopyButton text={text} label="Copy the head" />
      <pre class="said">
        <b>{visible(first)}</b>
        {headers.map(([name, value], index) => (
          <span key={index}>
            {"\n"}
            <span class="ink-key">{visible(name)}</span>: {visible(value)}
          </span>
        ))}
      </pre>
    </div>
  );
}

type Look = "text" | "json" | "hex";

function BodyText({ body, look }: { body: { encoding: "utf8" | "base64"; data: string }; look: Look }) {
  const shown = useMemo(() => {
    if (look !== "hex") return cut(body.data, SHOWN_CHARS);
    const data = body.encoding === "base64" ? fromBase64(body.data) : new TextEncoder().encode(body.data);
    return hexDump(data, SHOWN_HEX_BYTES) + (data.length > SHOWN_HEX_BYTES ? `\n… ${bytes(data.length - SHOWN_HEX_BYTES)} more` : "");
  }, [body, look]);
  if (look === "json") return <Json text={body.data} unfolded />;
  return <pre class={`raw-body said${look === "hex" ? " hex" : ""}`}>{look === "hex" ? shown : visible(shown)}</pre>;
}

interface BodyProps {
  readonly callId: string;
  readonly side: "request" | "response";
  readonly body: BodyView;
  readonly size: number;
}

function Body({ callId, side, body, size }: BodyProps) {
  const wanted = useSignal<Look | "exact" | null>(null);
  const decoded = body.decoded;
  const read = decoded && wanted.value !== "exact" ? decoded : body;
  const isJson = useMemo(
    () => read.encoding === "utf8" && read.data.length < SHOWN_CHARS && /^\s*[[{]/.test(read.data) && layOut(read.data) !== null,
    [read],
  );
  if (size === 0) return <p class="dim empty-line">no body</p>;
  const usual: Look = read.encoding === "base64" ? "hex" : isJson ? "json" : "text";
  const look: Look = wanted.value === null || wanted.value === "exact" ? usual : wanted.value;
  const button = (value: Look | "exact", label: string, title: string) => (
    <button
      type="button"
      class="button plain"
      aria-pressed={value === "exact" ? wanted.value === "exact" : look === value && wanted.value !== "exact"}
      title={title}
      onClick={() => {
        wanted.value = wanted.value === value ? null : value;
      }}
    >
      {label}
    </button>
  );
  return (
    <div class="raw-part">
      <div class="panel-tools">
        <span>
          {bytes(size)}
          {decoded && wanted.value !== "exact" && <span class="dim"> · {decoded.coding} removed for reading</span>}
        </span>
        <span class="spring" />
        {isJson && button("json", "Laid out", "JSON laid out for reading")}
        {read.encoding === "utf8" && button("text", "Text", "The text as it stands")}
        {button("hex", "Hex", "The bytes")}
        {decoded && button("exact", "As sent", `The bytes as they crossed, ${decoded.coding} and all`)}
        <a class="button plain" href={api.rawUrl(callId, side)} download title={`Download the ${side} body, exact`}>
          <DownloadIcon /> Download
        </a>
      </div>
      {(body.truncated || (decoded?.truncated ?? false)) && (
        <p class="callout">
          {decoded?.reason ? visible(decoded.reason) : "Only the beginning is shown here; the download has all that was recorded."}
        </p>
      )}
      <BodyText body={read} look={look} />
    </div>
  );
}

export function Raw({ row }: { row: CallRow }) {
  const { raw, problem, retry } = useRaw(row.call_id, row.status);
  if (problem) return <ProblemNotice problem={problem} retry={retry} />;
  if (!raw) return <p class="dim empty-line">Loading …</p>;
  const isMended = raw.target !== raw.target_received;
  return (
    <div class="raw">
      <section class="block">
        <h3>Request</h3>
        <p class="dim raw-note said">
          to {visible(raw.upstream_url)}
          {isMended && <> · the client wrote {visible(raw.target_received)}</>}
          {" · "}
          {raw.request_rebuilt ? "rebuilt from its messages, byte for byte" : "kept whole"}
        </p>
        <Head first={`${raw.method} ${raw.target}`} headers={raw.request_headers} />
        <Body callId={row.call_id} side="request" body={raw.request_body} size={raw.request_body_size} />
        {raw.request_trailers.length > 0 && <Head first="trailers" headers={raw.request_trailers} />}
      </section>
      <section class="block">
        <h3>Response</h3>
        {raw.status === null ? (
          <p class="dim empty-line">{row.status === "running" ? "Nothing yet." : "None came."}</p>
        ) : (
          <>
            <Head first={`${raw.status} ${raw.reason ?? ""}`.trim()} headers={raw.response_headers} />
            <Body callId={row.call_id} side="response" body={raw.response_body} size={raw.response_body_size} />
            {raw.response_trailers.length > 0 && <Head first="trailers" headers={raw.response_trailers} />}
          </>
        )}
        {raw.outcome !== null && (
          <p class="raw-note said">
            <b>{raw.outcome.replaceAll("_", " ")}</b> {visible(raw.outcome_detail)}
          </p>
        )}
      </section>
      {raw.chunks.length > 0 && (
        <section class="block">
          <h3>
            Pieces <span class="dim">{plural(raw.chunks.length, "read")}</span>
          </h3>
          <p class="dim raw-note">
            First after {duration(raw.chunks[0]?.[0] ?? null)}, last after {duration(raw.chunks.at(-1)?.[0] ?? null)},{" "}
            {count(raw.chunks.length)} in all.
          </p>
          <Chunks chunks={raw.chunks} />
        </section>
      )}
    </div>
  );
}
