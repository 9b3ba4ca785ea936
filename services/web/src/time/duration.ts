/** Spans of time as people read them. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something took: `340 ms`, `4.2 s`, `3m 05s`, `2h 10m`, `3d 4h`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (Math.round(ms / 100) < 600) return `${(ms / SECOND).toFixed(1)} s`;
  return coarse(ms);
}

/** How long something goes on, ticking by whole seconds: `7s`, `3m 05s`, `2h 10m`. */
export function formatElapsed(ms: number): string {
  return ms < MINUTE ? `${Math.max(0, Math.floor(ms / SECOND))}s` : coarse(Math.floor(ms / SECOND) * SECOND);
}

function coarse(ms: number): string {
  const total = Math.round(ms / SECOND) * SECOND;
  if (total < HOUR) return `${Math.floor(total / MINUTE)}m ${two((total % MINUTE) / SECOND)}s`;
  if (total < DAY) return `${Math.floor(total / HOUR)}h ${two(Math.floor((total % HOUR) / MINUTE))}m`;
  return `${Math.floor(total / DAY)}d ${Math.floor((total % DAY) / HOUR)}h`;
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}
