import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { ledgerQuery, logBeganQuery } from "../../api/audit";
import type { Ledger, LedgerTick } from "../../api/types";
import { useFilters } from "../../api/useFilters";
import { usePages } from "../../api/usePages";
import { Pager } from "../../components/Pager";
import { SearchField } from "../../components/SearchField";
import { Empty, Ready } from "../../components/states";
import { statusText } from "../../components/StatusBadge";
import { usePageTitle } from "../../components/usePageTitle";
import { At } from "../../components/When";
import { reasonText } from "../../components/words";
import { useNow } from "../../time/useNow";
import { AuditHead } from "./AuditHead";

const STEP = 10_000; // the range moves on so often
const HOUR = 3_600_000;
const PAGE_SIZE = 200;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FILTERS = { job: "", span: "1h" };
const SPANS: Record<string, { label: string; ms: number }> = {
  "1h": { label: "The last hour", ms: HOUR },
  "1d": { label: "The last day", ms: 24 * HOUR },
  "7d": { label: "The last week", ms: 7 * 24 * HOUR },
};

/** Every tick that a job's definitions implied, and what became of it. */
export default function LedgerPage() {
  usePageTitle("Tick ledger");
  const [{ job, span }, setFilters] = useFilters(FILTERS);
  const pages = usePages();
  const end = Math.floor(useNow() / STEP) * STEP;
  const { ms } = SPANS[span] ?? SPANS["1h"]!;
  const { data: began } = useQuery(logBeganQuery);
  const start = Math.max(end - ms, began ?? 0);
  const range = { start: new Date(start).toISOString(), end: new Date(Math.max(end, start + 1)).toISOString() };
  const cursor = pages.cursor ? { cursor: pages.cursor } : {};
  const ledger = useQuery({
    ...ledgerQuery({ ...(job ? { [ID.test(job) ? "job_id" : "job"]: job } : {}), ...range, ...cursor, limit: PAGE_SIZE }),
    enabled: began !== undefined,
  });
  const choose = (change: Partial<typeof FILTERS>): void => {
    pages.first();
    setFilters(change);
  };
  return (
    <>
      <AuditHead>
        <SearchField label="A job's name or id" value={job} onSearch={(text) => choose({ job: text })} />
      </AuditHead>
      <div className="audit-filters">
        <NativeSelect
          size="xs"
          label="When"
          value={span}
          data={Object.entries(SPANS).map(([value, { label }]) => ({ value, label }))}
          onChange={(event) => choose({ span: event.currentTarget.value })}
        />
        <p className="muted audit-hint">
          {job ? "Each tick of the job." : "Of all jobs: the ticks that ran twice, or of which nothing is known. Name a job to see each of its ticks."}
        </p>
      </div>
      <Ready query={ledger}>
        {(data) => (
          <>
            <Totals totals={data.totals} />
            {data.ticks.length === 0 ? (
              <Empty title={job ? "No tick in that time" : "Every tick ran once, or is accounted for"} />
            ) : (
              <Ticks ticks={data.ticks} />
            )}
            <Pager pages={pages} nextCursor={data.next_cursor} />
          </>
        )}
      </Ready>
    </>
  );
}

function Totals({ totals }: { totals: Ledger["totals"] }) {
  const skipped = Object.values(totals.skips).reduce((sum, count) => sum + count, 0);
  const figures: [string, number, boolean][] = [
    ["Ticks", totals.ticks, false],
    ["Ran", totals.runs, false],
    ["Skipped, with a reason", skipped, false],
    ["Under way", totals.pending, false],
    ["Withdrawn", totals.withdrawn, false],
    ["Ran twice", totals.doubles, totals.doubles > 0],
    ["Unaccounted", totals.unaccounted, totals.unaccounted > 0],
  ];
  return (
    <dl className="panel audit-totals">
      {figures.map(([name, count, bad]) => (
        <div key={name} className={bad ? "audit-bad" : ""}>
          <dt>{name}</dt>
          <dd>{count.toLocaleString("en")}</dd>
        </div>
      ))}
    </dl>
  );
}

function Ticks({ ticks }: { ticks: readonly LedgerTick[] }) {
  return (
    <div className="panel">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Tick</th>
            <th scope="col">What became of it</th>
            <th scope="col">Version</th>
            <th scope="col">Run</th>
          </tr>
        </thead>
        <tbody>
          {ticks.map((tick, index) => (
            <tr key={`${tick.job_id} ${tick.tick} ${index}`} className={isBad(tick) ? "audit-bad" : ""}>
              <th scope="row">
                <At at={tick.tick} />
              </th>
              <td>
                {becameText(tick)}
                {tick.detail && <span className="detail">{tick.detail}</span>}
              </td>
              <td data-name="Version">{tick.version}</td>
              <td>{tick.execution_id ? <Link href={`/runs/${tick.execution_id}`}>See the run</Link> : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const isBad = (tick: LedgerTick): boolean => tick.outcome === "unaccounted" || tick.claims > 1;

function becameText(tick: LedgerTick): string {
  if (tick.claims > 1) return `Ran ${tick.claims} times`;
  switch (tick.outcome) {
    case "run":
      return `Ran: ${statusText((tick.status ?? "running") as Parameters<typeof statusText>[0])}`;
    case "skipped":
      return tick.reason ? `Skipped: ${reasonText(tick.reason)}` : "Skipped";
    case "withdrawn":
      return "Withdrawn: the definition changed before a worker took it";
    case "pending":
      return "Under way";
    case "beyond":
      return "Ran, claimed as the definition changed";
    default:
      return "Nothing is known of it";
  }
}
