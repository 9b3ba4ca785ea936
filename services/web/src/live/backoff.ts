const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/** How long to wait before attempt `attempt` (1, 2, …): doubling up to 10 s, less up to a quarter by chance. */
export function backoffDelay(attempt: number, chance: () => number = Math.random): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.round(full * (1 - chance() / 4));
}
