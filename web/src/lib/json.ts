// JSON for reading: laid out and told apart by kind, as values; text that is no JSON is left alone.

export type Ink = "key" | "string" | "number" | "word" | "mark";
export interface Piece {
  readonly ink: Ink;
  readonly text: string;
}

/** The text laid out with two spaces, or null when it is no JSON. Numbers are copied as they stand: 1.0 stays 1.0. */
export function layOut(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let out = "";
  let depth = 0;
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    if (token === "{" || token === "[") {
      const next = /^\s*[}\]]/.exec(text.slice(match.index + 1, match.index + 40));
      depth += 1;
      out += next ? token : `${token}\n${"  ".repeat(depth)}`;
    } else if (token === "}" || token === "]") {
      depth -= 1;
      out += /[{[]$/.test(out) ? token : `\n${"  ".repeat(depth)}${token}`;
    } else if (token === ",") out += `,\n${"  ".repeat(depth)}`;
    else if (token === ":") out += ": ";
    else out += token;
  }
  return out;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/g;

/** Pieces of laid-out JSON, white space kept in the marks between them. */
export function inkJson(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    if (match.index > at) pieces.push({ ink: "mark", text: text.slice(at, match.index) });
    at = match.index + token.length;
    const first = token[0] ?? "";
    if (first === '"') pieces.push({ ink: /^\s*:/.test(text.slice(at, at + 8)) ? "key" : "string", text: token });
    else if (/[\d-]/.test(first)) pieces.push({ ink: "number", text: token });
    else pieces.push({ ink: /[a-z]/.test(first) ? "word" : "mark", text: token });
  }
  if (at < text.length) pieces.push({ ink: "mark", text: text.slice(at) });
  return pieces;
}

/** Names and values of a JSON object, each value as it is written; empty when the text is no object. */
export function members(text: string): readonly (readonly [string, string])[] {
  if (layOut(text) === null) return [];
  const found: (readonly [string, string])[] = [];
  let depth = 0;
  let name: string | null = null;
  let start = 0;
  for (const match of text.matchAll(TOKEN)) {
    const token = match[0];
    const end = match.index + token.length;
    if (depth === 1 && token.startsWith('"') && name === null) {
      name = JSON.parse(token) as string;
      continue;
    }
    if (depth === 1 && token === ":") start = end;
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (name !== null && ((depth === 1 && token === ",") || depth === 0)) {
      found.push([name, text.slice(start, match.index).trim()]);
      name = null;
    }
  }
  return text.trimStart().startsWith("{") ? found : [];
}
