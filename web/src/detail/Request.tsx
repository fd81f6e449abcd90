import { useMemo } from "preact/hooks";
import { count, oneLine, plural } from "../lib/format";
import { members } from "../lib/json";
import { visible } from "../lib/visible";
import { CopyButton } from "../shell/Copy";
import type { CallDetail } from "../types.gen";
import { Json } from "./Json";
import { Message, NEW_MARK } from "./Message";
import { toolNames } from "./Parts";

/** A tool's definition, read for its name and description only; both providers' spellings. */
export function readTool(json: string): { name: string; description: string } {
  try {
    const tool = JSON.parse(json) as Record<string, unknown>;
    const inner = (typeof tool["function"] === "object" && tool["function"] !== null ? tool["function"] : tool) as Record<string, unknown>;
    const name = inner["name"] ?? tool["type"];
    const description = inner["description"];
    return { name: typeof name === "string" ? name : "unnamed", description: typeof description === "string" ? description : "" };
  } catch {
    return { name: "unreadable", description: "" };
  }
}

function Params({ json }: { json: string }) {
  const params = useMemo(() => members(json), [json]);
  if (params.length === 0) return null;
  return (
    <section class="block">
      <h3>Parameters</h3>
      <dl class="params">
        {params.map(([name, value]) => (
          <>
            <dt class="said">{visible(name)}</dt>
            <dd>{value.length > 80 ? <Json text={value} /> : <code class="said">{visible(value)}</code>}</dd>
          </>
        ))}
      </dl>
    </section>
  );
}

function Tools({ tools }: { tools: readonly string[] }) {
  if (tools.length === 0) return null;
  return (
    <section class="block">
      <h3>
        Tools <span class="dim">{count(tools.length)}</span>
      </h3>
      {tools.map((json, index) => {
        const tool = readTool(json);
        return (
          <details key={index} class="part part-tool">
            <summary>
              <i class="hex" aria-hidden="true" />
              <b class="said">{visible(tool.name)}</b>
              <span class="dim ellipsis said">{oneLine(visible(tool.description.slice(0, 200)))}</span>
            </summary>
            <Json text={json} />
          </details>
        );
      })}
    </section>
  );
}

export function Request({ detail }: { detail: CallDetail }) {
  const names = useMemo(() => toolNames(detail.messages), [detail.messages]);
  const isBare = detail.messages.length === 0 && detail.system.length === 0 && detail.tools.length === 0;
  return (
    <div class="request">
      <p class="request-line">
        <code class="said">
          {visible(detail.call.method)} {visible(detail.call.path)}
        </code>
        <CopyButton text={detail.call.path} label="Copy the path" />
        <span class="dim said">to {visible(detail.call.upstream)}</span>
      </p>
      <Params json={detail.params} />
      {detail.system.length > 0 && (
        <section class="block">
          <h3>System</h3>
          {detail.system.map((message, index) => (
            <Message key={index} message={message} names={names} />
          ))}
        </section>
      )}
      <Tools tools={detail.tools} />
      {detail.messages.length > 0 && (
        <section class="block">
          <h3>
            Messages <span class="dim">{plural(detail.messages.length, "message")}</span>
          </h3>
          {detail.messages.map((message, index) => (
            <Message
              key={index}
              message={message}
              names={names}
              number={index + 1}
              folded={detail.messages.length > 6}
              mark={detail.new_from > 0 && index >= detail.new_from ? NEW_MARK : undefined}
            />
          ))}
        </section>
      )}
      {isBare && <p class="dim empty-line">This request carries no messages. Its bytes are under Raw.</p>}
    </div>
  );
}
