// Markdown as values, never as HTML: what is not understood stays text. Enough for what models write; images are not fetched.

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "strong" | "em"; readonly inner: readonly Inline[] }
  | { readonly kind: "link"; readonly href: string; readonly inner: readonly Inline[] };

export type Block =
  | { readonly kind: "paragraph"; readonly text: string }
  | { readonly kind: "heading"; readonly level: number; readonly text: string }
  | { readonly kind: "code"; readonly language: string; readonly text: string }
  | { readonly kind: "quote"; readonly blocks: readonly Block[] }
  | { readonly kind: "list"; readonly isOrdered: boolean; readonly start: number; readonly items: readonly (readonly Block[])[] }
  | { readonly kind: "table"; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: "rule" };

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(\s+|$)(.*)$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$/;
/** Quotes and lists nested deeper than this are shown as text. */
const DEEPEST = 8;
/** A longer line is text, whatever it begins with: it bounds what a hostile line can cost. */
const LONGEST_MARKED_LINE_CHARS = 2000;

export function parseBlocks(source: string, depth = 0): readonly Block[] {
  const lines = source.split("\n");
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    if ((lines[at] ?? "").trim() === "") {
      at += 1;
      continue;
    }
    const taken = take(lines, at, depth);
    if (taken) {
      blocks.push(taken.block);
      at += taken.used;
      continue;
    }
    let end = at + 1;
    while (end < lines.length && !startsBlock(lines, end)) end += 1;
    blocks.push({ kind: "paragraph", text: lines.slice(at, end).join("\n").trim() });
    at = end;
  }
  return blocks;
}

interface Taken {
  readonly block: Block;
  readonly used: number;
}

function take(lines: readonly string[], at: number, depth: number): Taken | null {
  const line = lines[at] ?? "";
  if (line.length > LONGEST_MARKED_LINE_CHARS) return null;
  return takeFence(lines, at) ?? takeLine(line) ?? takeTable(lines, at) ?? (depth < DEEPEST ? takeNested(lines, at, depth) : null);
}

function startsBlock(lines: readonly string[], at: number): boolean {
  const line = lines[at] ?? "";
  if (line.length > LONGEST_MARKED_LINE_CHARS) return false;
  return line.trim() === "" || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || ITEM.test(line) || /^ {0,3}>/.test(line);
}

function takeLine(line: string): Taken | null {
  const heading = HEADING.exec(line);
  if (heading) return { block: { kind: "heading", level: heading[1]?.length ?? 1, text: heading[2] ?? "" }, used: 1 };
  return RULE.test(line) ? { block: { kind: "rule" }, used: 1 } : null;
}

function takeFence(lines: readonly string[], at: number): Taken | null {
  const open = FENCE.exec(lines[at] ?? "");
  if (!open) return null;
  const mark = open[2] ?? "```";
  let end = at + 1;
  // A fence that is not closed yet is still being streamed: it runs to the end.
  while (end < lines.length && !((lines[end] ?? "").trim().startsWith(mark) && /^\s*[`~]+\s*$/.test(lines[end] ?? ""))) end += 1;
  return { block: { kind: "code", language: open[3] ?? "", text: lines.slice(at + 1, end).join("\n") }, used: end - at + 1 };
}

function cells(line: string): readonly string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function takeTable(lines: readonly string[], at: number): Taken | null {
  const rule = lines[at + 1] ?? "";
  if (!(lines[at] ?? "").includes("|") || rule.length > LONGEST_MARKED_LINE_CHARS || !TABLE_RULE.test(rule)) return null;
  let end = at + 2;
  while (end < lines.length && (lines[end] ?? "").includes("|")) end += 1;
  return { block: { kind: "table", head: cells(lines[at] ?? ""), rows: lines.slice(at + 2, end).map(cells) }, used: end - at };
}

function takeNested(lines: readonly string[], at: number, depth: number): Taken | null {
  if (/^ {0,3}>/.test(lines[at] ?? "")) {
    let end = at;
    while (end < lines.length && /^ {0,3}>/.test(lines[end] ?? "")) end += 1;
    const inner = lines.slice(at, end).map((line) => line.replace(/^ {0,3}> ?/, ""));
    return { block: { kind: "quote", blocks: parseBlocks(inner.join("\n"), depth + 1) }, used: end - at };
  }
  return ITEM.test(lines[at] ?? "") ? takeList(lines, at, depth) : null;
}

function takeList(lines: readonly string[], at: number, depth: number): Taken {
  const first = ITEM.exec(lines[at] ?? "");
  const isOrdered = /\d/.test(first?.[2] ?? "");
  const items: (readonly Block[])[] = [];
  let end = at;
  while (end < lines.length) {
    const item = ITEM.exec(lines[end] ?? "");
    if (!item || /\d/.test(item[2] ?? "") !== isOrdered) break;
    const indent = (item[1] ?? "").length + (item[2] ?? "").length + 1;
    const inner = [item[4] ?? ""];
    end += 1;
    while (end < lines.length && continues(lines, end, indent)) {
      inner.push((lines[end] ?? "").slice(Math.min(indent, leading(lines[end] ?? ""))));
      end += 1;
    }
    items.push(parseBlocks(inner.join("\n"), depth + 1));
  }
  return { block: { kind: "list", isOrdered, start: Number.parseInt(first?.[2] ?? "1", 10) || 1, items }, used: end - at };
}

function leading(line: string): number {
  return line.length - line.trimStart().length;
}

function continues(lines: readonly string[], at: number, indent: number): boolean {
  const line = lines[at] ?? "";
  if (line.trim() === "") return leading(lines[at + 1] ?? "") >= Math.min(indent, 2) && (lines[at + 1] ?? "").trim() !== "";
  return leading(line) >= 2 || !startsBlock(lines, at);
}

// Every repetition is bounded or stops at its own mark: a hostile text costs no more than its length times that bound.
const INLINE =
  /(?<!`)(`{1,3})(?!`)([\s\S]{0,1000}?[^`])\1(?!`)|\*\*(?=\S)([\s\S]{0,1000}?\S)\*\*|(?<![\w*])[*_](?=\S)([^*_\n]{0,500}\S)[*_](?!\w)|!?\[([^[\]\n]{0,300})\]\(([^()\s]{1,1000})(?:\s"[^"]{0,200}")?\)|(https?:\/\/[^\s<>()"'`]{0,1000}[^\s<>()"'`.,;:!?])/;

/** Only these schemes are ever linked; anything else stays the text it is. */
function isSafe(href: string): boolean {
  return /^https?:\/\//i.test(href);
}

export function parseInline(source: string): readonly Inline[] {
  const parts: Inline[] = [];
  let rest = source;
  while (rest) {
    const match = INLINE.exec(rest);
    if (!match) break;
    if (match.index > 0) parts.push({ kind: "text", text: rest.slice(0, match.index) });
    const [whole, , code, strong, em, label, href, bare] = match;
    if (code !== undefined) parts.push({ kind: "code", text: code });
    else if (strong !== undefined) parts.push({ kind: "strong", inner: parseInline(strong) });
    else if (em !== undefined) parts.push({ kind: "em", inner: parseInline(em) });
    else if (href !== undefined && isSafe(href)) parts.push({ kind: "link", href, inner: [{ kind: "text", text: label || href }] });
    else if (bare !== undefined) parts.push({ kind: "link", href: bare, inner: [{ kind: "text", text: bare }] });
    else parts.push({ kind: "text", text: whole });
    rest = rest.slice(match.index + whole.length);
  }
  if (rest) parts.push({ kind: "text", text: rest });
  return parts;
}
