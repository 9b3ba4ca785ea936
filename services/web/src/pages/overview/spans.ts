/** How far back the overview looks. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export const SPANS = {
  "1h": { label: "hour", ms: HOUR, bucket: "1m", bucketMs: MINUTE },
  "24h": { label: "24 hours", ms: 24 * HOUR, bucket: "30m", bucketMs: 30 * MINUTE },
  "7d": { label: "7 days", ms: 7 * 24 * HOUR, bucket: "3h", bucketMs: 3 * HOUR },
} as const;

export type SpanName = keyof typeof SPANS;

/**
 * The span that ends with the bucket of `now`, as parameters of the API.
 *
 * It begins at a whole bucket, so that the same question is asked until the next bucket begins.
 */
export function spanQuery(name: SpanName, now: number): { start: string; end: string; bucket: string } {
  const { ms, bucket, bucketMs } = SPANS[name];
  const end = (Math.floor(now / bucketMs) + 1) * bucketMs;
  return { start: new Date(end - ms).toISOString(), end: new Date(end).toISOString(), bucket };
}
