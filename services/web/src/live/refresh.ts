/** What is shown becomes what is: frames of the feed make the answers that they touch stale, in bundles. */

import type { QueryClient } from "@tanstack/react-query";

const SOON_MS = 150; // the record that a frame tells of is stored about then
const CALM_MS = 2_000; // so often at most, however much runs

/** Return what is called for every frame; every answer about runs and jobs is then asked for anew, soon. */
export function refresher(client: QueryClient): { changed(): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = -CALM_MS;
  const refresh = (): void => {
    timer = undefined;
    last = performance.now();
    void client.invalidateQueries({ queryKey: ["runs"] });
    void client.invalidateQueries({ queryKey: ["jobs"], predicate: ({ queryKey }) => queryKey[1] !== "history" });
  };
  return {
    changed() {
      timer ??= setTimeout(refresh, Math.max(SOON_MS, last + CALM_MS - performance.now()));
    },
    stop: () => clearTimeout(timer),
  };
}
