import { defineConfig } from "vite";

/** Where `npm run dev` finds an API: a dashboard, or `python -m tests.browser.stage`. */
const backend = process.env["ANTON_DASHBOARD"] ?? "http://127.0.0.1:3000";

export default defineConfig({
  build: {
    target: "es2023",
    // The page's content security policy allows no inline script, no inline style and no data: font.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": backend, "/ws": { target: backend.replace("http", "ws"), ws: true } },
  },
});
