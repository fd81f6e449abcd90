// Text of a model or a person, as text nodes. Markdown is drawn from values (lib/markdown.ts): no HTML is ever made of it.
import { type Signal, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { type Block, type Inline, parseBlocks, parseInline } from "../lib/markdown";
import { remember, remembered } from "../lib/remember";
import { visible } from "../lib/visible";
import { CopyButton } from "../shell/Copy";

/** Longer text is shown plain: laying it out anew on every frame would be felt. */
const LONGEST_LAID_OUT_CHARS = 60_000;

export const isPlain: Signal<boolean> = signal(remembered("plain", false, (value) => typeof value === "boolean"));

export function togglePlain(): void {
  isPlain.value = !isPlain.value;
  remember("plain", isPlain.value);
}

function Inlines({ source }: { source: string }) {
  return <>{drawInline(parseInline(source))}</>;
}

function drawInline(parts: readonly Inline[]): ComponentChildren {
  return parts.map((part, index) => {
    switch (part.kind) {
      case "text":
        return part.text;
      case "code":
        return <code key={index}>{part.text}</code>;
      case "strong":
        return <strong key={index}>{drawInline(part.inner)}</strong>;
      case "em":
        return <em key={index}>{drawInline(part.inner)}</em>;
      case "link":
        return (
          <a key={index} href={part.href} target="_blank" rel="noreferrer noopener" title={part.href}>
            {drawInline(part.inner)}
          </a>
        );
    }
  });
}

function Code({ language, text }: { language: string; text: string }) {
  return (
    <figure class="code">
      <figcaption>
        <span>{language || "text"}</span>
        <CopyButton text={text} label="Copy the code" />
      </figcaption>
      <pre>
        <code>{text}</code>
      </pre>
    </figure>
  );
}

function drawBlock(block: Block, index: number): ComponentChildren {
  switch (block.kind) {
    case "paragraph":
      return (
        <p key={index}>
          <Inlines source={block.text} />
        </p>
      );
    case "heading":
      // The page's own headings end above these.
      return (
        <p key={index} class={`prose-heading level-${Math.min(block.level, 4)}`} role="heading" aria-level={Math.min(block.level + 3, 6)}>
          <Inlines source={block.text} />
        </p>
      );
    case "code":
      return <Code key={index} language={block.language} text={block.text} />;
    case "quote":
      return <blockquote key={index}>{block.blocks.map(drawBlock)}</blockquote>;
    case "list": {
      const items = block.items.map((item, at) => <li key={at}>{item.map(drawBlock)}</li>);
      return block.isOrdered ? (
        <ol key={index} start={block.start}>
          {items}
        </ol>
      ) : (
        <ul key={index}>{items}</ul>
      );
    }
    case "table":
      return (
        <div key={index} class="prose-table">
          <table>
            <thead>
              <tr>
                {block.head.map((cell, at) => (
                  <th key={at}>
                    <Inlines source={cell} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, column) => (
                    <td key={column}>
                      <Inlines source={cell} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case "rule":
      return <hr key={index} />;
  }
}

export function Prose({ text }: { text: string }) {
  const shown = visible(text);
  const isLaidOut = !isPlain.value && shown.length <= LONGEST_LAID_OUT_CHARS;
  const blocks = useMemo(() => (isLaidOut ? parseBlocks(shown) : []), [shown, isLaidOut]);
  return isLaidOut ? (
    <div class="prose said" dir="auto">
      {blocks.map(drawBlock)}
    </div>
  ) : (
    <pre class="plain said" dir="auto">
      {shown}
    </pre>
  );
}
