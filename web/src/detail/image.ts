// Images are shown only when they came inside the message: the page never fetches one.

const KINDS = /^image\/(png|jpeg|gif|webp)$/;

interface Source {
  readonly type?: string;
  readonly media_type?: string;
  readonly data?: string;
}

/** A `data:` URL for an image block of Anthropic or OpenAI, or null. */
export function imageUrl(raw: string): string | null {
  let block: unknown;
  try {
    block = JSON.parse(raw);
  } catch {
    return null;
  }
  if (typeof block !== "object" || block === null) return null;
  const { source, image_url } = block as { source?: Source; image_url?: string | { url?: string } };
  if (source?.type === "base64" && source.data && KINDS.test(source.media_type ?? ""))
    return `data:${source.media_type};base64,${source.data}`;
  const url = typeof image_url === "string" ? image_url : image_url?.url;
  const match = url ? /^data:([a-z/]+);base64,[A-Za-z0-9+/=]+$/.exec(url) : null;
  return url && match && KINDS.test(match[1] ?? "") ? url : null;
}
