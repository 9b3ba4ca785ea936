import { expect, test } from "vitest";
import { SPANS, spanQuery, type SpanName } from "./spans";

test.each(Object.keys(SPANS) as SpanName[])("the last %s holds the present, in whole buckets", (name) => {
  const now = Date.parse("2026-03-01T12:34:56Z");
  const { start, end } = spanQuery(name, now);
  const { ms, bucketMs } = SPANS[name];
  expect(Date.parse(end)).toBeGreaterThan(now);
  expect(Date.parse(end) - now).toBeLessThanOrEqual(bucketMs);
  expect(Date.parse(end) - Date.parse(start)).toBe(ms);
  expect(spanQuery(name, now + 1000)).toEqual({ start, end, bucket: SPANS[name].bucket });
});
