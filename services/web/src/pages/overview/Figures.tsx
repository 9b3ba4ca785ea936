import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { runsQuery, statsQuery } from "../../api/ingester";
import { workersQuery } from "../../api/master";
import { pipelineQuery } from "../../api/pipeline";
import { formatDuration } from "../../time/duration";
import { useNow } from "../../time/useNow";
import { SPANS, type SpanName, spanQuery } from "./spans";

const MANY_WAITING = 5_000; // records; more than a second's worth
const MOST_RUNNING = 500;

/** The figures that say at a glance whether all is well. Each stands alone: one that cannot be had is a dash. */
export function Figures({ span }: { span: SpanName }) {
  const { data: stats } = useQuery(statsQuery(spanQuery(span, useNow())));
  const { data: running } = useQuery(runsQuery({ status: ["running"], limit: MOST_RUNNING }));
  const total = stats?.total;
  const failed = total && total.failed + total.timed_out + total.lost;
  return (
    <dl className="panel overview-figures" aria-label="At a glance">
      <Figure name="Running now">
        {running && `${running.executions.length.toLocaleString("en")}${running.executions.length === MOST_RUNNING ? "+" : ""}`}
      </Figure>
      <Figure name={`Runs, last ${SPANS[span].label}`}>{total && total.runs.toLocaleString("en")}</Figure>
      <Figure name="Succeeded" tone={failed ? "warn" : "good"}>
        {total && rateText(total.success_rate)}
      </Figure>
      <Figure name="Failed" tone={failed ? "bad" : "quiet"}>
        {failed !== undefined && (
          <Link href="/runs?status=failed&status=timed_out&status=lost">{failed.toLocaleString("en")}</Link>
        )}
      </Figure>
      <Figure name="Duration, median">{total && (total.p50_s === null ? "–" : formatDuration(total.p50_s * 1000))}</Figure>
      <Workers />
      <Waiting />
    </dl>
  );
}

function Workers() {
  const { data } = useQuery(workersQuery);
  const ready = data?.workers.filter(({ state, drained_by }) => state === "active" && drained_by === null).length;
  const all = ready === data?.workers.length;
  return (
    <Figure name="Workers" tone={ready === 0 ? "bad" : all ? "quiet" : "warn"}>
      {data && (
        <Link href="/workers">
          {ready} <span className="overview-of">of {data.workers.length} take runs</span>
        </Link>
      )}
    </Figure>
  );
}

/** What is in the log and not yet where this page reads it. */
function Waiting() {
  const { data } = useQuery(pipelineQuery);
  return (
    <Figure name="Records waiting" tone={(data?.waiting_records ?? 0) > MANY_WAITING ? "warn" : "quiet"}>
      {data && data.waiting_records.toLocaleString("en")}
    </Figure>
  );
}

interface FigureProps {
  name: string;
  tone?: "good" | "warn" | "bad" | "quiet";
  children: ReactNode;
}

function Figure({ name, tone = "quiet", children }: FigureProps) {
  return (
    <div className={`overview-figure overview-${tone}`}>
      <dt>{name}</dt>
      <dd>{children ?? "–"}</dd>
    </div>
  );
}

/** `99.8 %`; never 100 % while one failed. */
export function rateText(rate: number | null): string {
  if (rate === null) return "–";
  if (rate === 1) return "100 %";
  return `${Math.min(99.9, Math.round(rate * 1000) / 10).toFixed(1)} %`;
}
