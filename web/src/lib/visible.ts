// Text from outside is hostile: what would be invisible, or would reorder the line it stands in, is shown for what it is.

const HIDDEN = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C\uFEFF]/g;

/** Control characters and direction marks by their number, as ⟨U+001B⟩. CR before LF is dropped. */
export function visible(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(HIDDEN, (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
