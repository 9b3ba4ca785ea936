import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` proxies to a master that already runs; its login cookie is for the host, whatever the port.
const master = "http://127.0.0.1:8700";

export default defineConfig({
  base: "/",
  plugins: [react()],
  build: {
    outDir: "../master/dcron_master/page",
    emptyOutDir: true,
    assetsInlineLimit: 0, // no data: addresses, so that the page works under default-src 'self'
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": master, "/login": master } },
  test: { environment: "jsdom", setupFiles: "src/test-setup.ts", unstubGlobals: true },
});
