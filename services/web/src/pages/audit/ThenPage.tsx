import { Button, Slider } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { crontabQuery, differenceQuery, logBeganQuery } from "../../api/audit";
import type { Crontab, CrontabDifference, JobDifference } from "../../api/types";
import { useFilters } from "../../api/useFilters";
import { usePages } from "../../api/usePages";
import { Changes } from "../../components/Changes";
import { Pager } from "../../components/Pager";
import { Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import { formatAbsolute, formatRelative } from "../../time/instant";
import { useNow } from "../../time/useNow";
import { AuditHead } from "./AuditHead";
import { agoOf, placeOf, PLACES } from "./slider";

const PAGE_SIZE = 50;
const HOUR = 3_600_000;
const FILTERS = { at: "" };

/** The whole crontab as it was at an instant, and what is other now. */
export default function ThenPage() {
  usePageTitle("The crontab then");
  const [{ at }, setFilters] = useFilters(FILTERS);
  const now = useNow();
  const [opened] = useState(now); // with no instant named: an hour before the page was opened
  const pages = usePages();
  const { data: began } = useQuery(logBeganQuery);
  const wanted = at && !Number.isNaN(Date.parse(at)) ? Date.parse(at) : opened - HOUR;
  const then = Math.max(wanted, began ?? wanted);
  const instant = began === undefined ? "" : new Date(then).toISOString();
  const crontab = useQuery(crontabQuery({ at: instant, limit: PAGE_SIZE, cursor: pages.cursor }));
  const difference = useQuery(differenceQuery(instant));
  const look = (when: number): void => {
    pages.first();
    setFilters({ at: new Date(Math.max(when, began ?? when)).toISOString() });
  };
  return (
    <>
      <AuditHead />
      <TimeSlider then={then} now={now} look={look} />
      <section>
        <h2>What is other now</h2>
        <Ready query={difference} rows={2}>
          {(data) => <Differences difference={data} />}
        </Ready>
      </section>
      <section>
        <h2>
          Jobs then {crontab.data && <span className="count">{crontab.data.total.toLocaleString("en")}</span>}
        </h2>
        <Ready query={crontab}>
          {(data) => (
            <>
              <JobsThen crontab={data} />
              <Pager pages={pages} nextCursor={data.next_cursor} />
            </>
          )}
        </Ready>
      </section>
    </>
  );
}

/** Moves through the past: near the present in seconds, far from it in days. */
function TimeSlider({ then, now, look }: { then: number; now: number; look(when: number): void }) {
  const [held, setHeld] = useState<number | null>(null); // while it is moved
  const place = held ?? placeOf(now - then);
  const shown = held === null ? then : now - agoOf(held);
  return (
    <div className="panel audit-slider">
      <p>
        <strong>{formatAbsolute(new Date(shown).toISOString())}</strong>{" "}
        <span className="muted">{formatRelative(new Date(shown).toISOString(), now)}</span>
      </p>
      <Slider
        min={0}
        max={PLACES}
        step={1}
        value={PLACES - place}
        onChange={(value) => setHeld(PLACES - value)}
        onChangeEnd={(value) => {
          setHeld(null);
          look(now - agoOf(PLACES - value));
        }}
        label={null}
        thumbLabel="How long ago"
        marks={[
          { value: PLACES - placeOf(60_000), label: "1m" },
          { value: PLACES - placeOf(HOUR), label: "1h" },
          { value: PLACES - placeOf(24 * HOUR), label: "1d" },
          { value: PLACES - placeOf(7 * 24 * HOUR), label: "1w" },
          { value: PLACES - placeOf(30 * 24 * HOUR), label: "30d" },
        ]}
      />
      <label className="audit-instant">
        <span>Or at exactly</span>
        <input
          type="datetime-local"
          step={1}
          value={localText(shown)}
          max={localText(now)}
          onChange={(event) => event.currentTarget.value && look(Math.min(Date.parse(event.currentTarget.value), now))}
        />
        <Button onClick={() => look(now - 24 * HOUR)}>A day ago</Button>
      </label>
    </div>
  );
}

/** `2026-03-01T13:00:07` on the viewer's wall clock, as a date field wants it. */
function localText(at: number): string {
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

const CHANGES: Record<JobDifference["change"], string> = {
  created: "Created since",
  deleted: "Deleted since",
  changed: "Changed since",
};

function Differences({ difference }: { difference: CrontabDifference }) {
  if (difference.jobs.length === 0) return <p className="muted">Nothing: the crontab is the same.</p>;
  return (
    <div className="panel">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">What</th>
            <th scope="col">Versions</th>
            <th scope="col">Fields</th>
          </tr>
        </thead>
        <tbody>
          {difference.jobs.map((job) => (
            <tr key={job.job_id}>
              <th scope="row" className="audit-job">
                <Link href={`/jobs/${job.job_id}`}>{job.name}</Link>
                <span className="detail">{job.namespace}</span>
              </th>
              <td>{CHANGES[job.change]}</td>
              <td data-name="Versions">
                {job.from_version ?? "–"} → {job.to_version ?? "–"}
              </td>
              <td>{job.change === "changed" && <Changes changes={job.changes} caption={`What changed in ${job.name}`} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function JobsThen({ crontab }: { crontab: Crontab }) {
  if (crontab.jobs.length === 0) return <p className="muted">There were no jobs.</p>;
  return (
    <div className="panel">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Version</th>
            <th scope="col">Schedule</th>
            <th scope="col">State</th>
            <th scope="col">By</th>
          </tr>
        </thead>
        <tbody>
          {crontab.jobs.map((job) => (
            <tr key={job.job_id}>
              <th scope="row" className="audit-job">
                <Link href={`/jobs/${job.job_id}`}>{job.spec.name}</Link>
                <span className="detail">{job.spec.namespace ?? "default"}</span>
              </th>
              <td data-name="Version">{job.version}</td>
              <td>{job.schedule_text}</td>
              <td>{(job.spec.enabled ?? true) ? "Enabled" : "Paused"}</td>
              <td data-name="By">{job.updated_by}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
