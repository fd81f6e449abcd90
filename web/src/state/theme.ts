// Light, dark, or the system's. `public/theme.js` applies the choice before the first paint.
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

function stored(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export const theme = signal<Theme>("system");

export function startTheme(): void {
  theme.value = stored();
}

export function turnTheme(): void {
  const next: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
  theme.value = next[theme.value];
  try {
    if (theme.value === "system") localStorage.removeItem("anton.theme");
    else localStorage.setItem("anton.theme", theme.value);
  } catch {
    // Lasts as long as the page.
  }
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
}
