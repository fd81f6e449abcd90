// Runs before the first paint, so that a chosen theme never flashes the other one. No choice: the system's.
try {
  const chosen = localStorage.getItem("anton.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be forbidden: then the system decides.
}
