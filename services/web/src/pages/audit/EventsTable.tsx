import { Fragment, useState } from "react";
import { Link } from "wouter";
import type { LogEvent } from "../../api/types";
import { Changes } from "../../components/Changes";
import { Icon } from "../../components/icons";
import { Ago, At } from "../../components/When";
import { kindText, OUTCOMES } from "./kinds";

/** Events, newest first; each opens to what it changed and where it stands in the chain. */
export function EventsTable({ events }: { events: readonly LogEvent[] }) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <div className="panel">
      <table className="table audit-events">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">What</th>
            <th scope="col">Job</th>
            <th scope="col">By</th>
            <th scope="col">Outcome</th>
            <th scope="col">
              <span className="visually-hidden">Details</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <Fragment key={event.position}>
              <Row event={event} open={open === event.position} toggle={() => setOpen(open === event.position ? null : event.position)} />
              {open === event.position && <Details event={event} />}
            </Fragment>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ event, open, toggle }: { event: LogEvent; open: boolean; toggle(): void }) {
  return (
    <tr>
      <th scope="row">
        <Ago at={event.at} />
        <span className="detail">position {event.position.toLocaleString("en")}</span>
      </th>
      <td>{kindText(event.kind)}</td>
      <td className="audit-job">
        {event.job_id ? <Link href={`/jobs/${event.job_id}`}>{event.job_name || event.job_id}</Link> : "–"}
        {event.namespace && <span className="detail">{event.namespace}</span>}
      </td>
      <td data-name="By">{event.actor}</td>
      <td>
        <span className={`state audit-${event.outcome === "applied" ? "applied" : "other"}`}>{OUTCOMES[event.outcome]}</span>
        {event.detail && <span className="detail audit-detail">{event.detail}</span>}
      </td>
      <td className="audit-open">
        <button
          type="button"
          className="button-plain"
          aria-expanded={open}
          aria-label={`Details of the event at position ${event.position}`}
          onClick={toggle}
        >
          <Icon name={open ? "up" : "down"} />
        </button>
      </td>
    </tr>
  );
}

function Details({ event }: { event: LogEvent }) {
  return (
    <tr className="audit-details">
      <td colSpan={6}>
        <dl>
          <dt>At</dt>
          <dd>
            <At at={event.at} />
          </dd>
          {event.version_after !== null && (
            <>
              <dt>Version</dt>
              <dd>{event.version_before === null ? event.version_after : `${event.version_before} → ${event.version_after}`}</dd>
            </>
          )}
          <dt>Request</dt>
          <dd>
            <code>{event.request_id || "–"}</code>
          </dd>
          <dt>Chain</dt>
          <dd>
            <code>{event.hash}</code>
          </dd>
        </dl>
        {event.changes.length > 0 && <Changes changes={event.changes} caption={`What the event at position ${event.position} changed`} />}
      </td>
    </tr>
  );
}
