import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { previewQuery, problemsQuery } from "../../api/master";
import type { JobSpec } from "../../api/types";
import { type Draft, scheduleOf } from "./draft";
import { useSettled } from "./useSettled";

export const SHOWN_TICKS = 10;

/** What the server finds wrong with the draft; what it found before stands until it has looked again. */
export function useCheck(draft: Draft, jobId: string | undefined) {
  const { data, error } = useQuery({ ...problemsQuery(asSpec(useSettled(draft)), jobId), placeholderData: keepPreviousData });
  return { problems: data ?? [], failure: error };
}

/** The draft's schedule in words and its next ticks, whatever else is wrong with it. */
export function useSchedulePreview(draft: Draft, jobId: string | undefined) {
  const schedule = scheduleOf(useSettled(draft));
  return useQuery({
    ...previewQuery(asSpec(schedule), SHOWN_TICKS, jobId),
    enabled: schedule["schedule"] !== undefined,
    placeholderData: keepPreviousData,
  });
}

/** A draft goes to the server as it is: what it may not say, the server tells. */
export const asSpec = (draft: Draft): JobSpec => draft as unknown as JobSpec;
