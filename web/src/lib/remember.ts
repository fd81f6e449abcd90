// Small choices (widths, theme, columns) kept in this browser. Storage may be forbidden: then they last as long as the page.

export function remembered<T>(key: string, usual: T, isFit: (value: unknown) => value is T): T {
  try {
    const text = localStorage.getItem(`anton.${key}`);
    if (text === null) return usual;
    const value: unknown = JSON.parse(text);
    return isFit(value) ? value : usual;
  } catch {
    return usual;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`anton.${key}`, JSON.stringify(value));
  } catch {
    // Not kept: nothing depends on it.
  }
}
