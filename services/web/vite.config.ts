import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` stands before a master that already runs. The Host header stays the browser's, so that the
// master takes the page for its own.
const master = { target: "http://127.0.0.1:8700", changeOrigin: false };

export default defineConfig({
  base: "/",
  plugins: [react()],
  build: {
    outDir: "../master/dcron_master/page",
    emptyOutDir: true,
    assetsInlineLimit: 0, // no data: addresses, so that the page works under default-src 'self'
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/api": master, "/login": master } },
  test: { unstubGlobals: true, include: ["src/**/*.test.{ts,tsx}"] },
});
