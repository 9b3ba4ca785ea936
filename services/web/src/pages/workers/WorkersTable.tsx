import type { Worker } from "../../api/types";
import { Ago } from "../../components/When";
import { DrainButton } from "./DrainButton";
import type { Load } from "./WorkersPage";

/** A row for each worker. */
export function WorkersTable({ workers, load }: { workers: Worker[]; load: Load }) {
  return (
    <div className="panel">
      <table className="table workers-table">
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">State</th>
            <th scope="col">Load</th>
            <th scope="col">Labels</th>
            <th scope="col" className="number">
            Clock
          </th>
            <th scope="col">Started</th>
            <th scope="col">
              <span className="visually-hidden">Commands</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <Row key={worker.worker_id} worker={worker} load={load} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ worker, load }: { worker: Worker; load: Load }) {
  const gone = worker.state === "gone";
  return (
    <tr>
      <th scope="row" className="workers-name">
        {worker.worker_id}
        {!gone && (
          <span className="detail">
            {worker.host} · process {worker.pid} · {worker.version}
          </span>
        )}
      </th>
      <td>
        <WorkerState worker={worker} />
      </td>
      <td data-name="Load">{gone ? "–" : <Slots slots={worker.slots} load={load} workerId={worker.worker_id} />}</td>
      <td data-name="Labels">
        <Labels labels={worker.labels} />
      </td>
      <td data-name="Clock" className="number">
        {offsetText(worker.clock_offset_ms)}
      </td>
      <td data-name="Started">{worker.started_at ? <Ago at={worker.started_at} /> : "–"}</td>
      <td className="workers-commands">
        <DrainButton worker={worker} />
      </td>
    </tr>
  );
}

const STATES: Record<Worker["state"], string> = {
  active: "Takes runs",
  draining: "Drained",
  clock_wrong: "Clock is wrong",
  gone: "Not there",
};

function WorkerState({ worker }: { worker: Worker }) {
  return (
    <>
      <span className={`state workers-state-${worker.state}`}>{STATES[worker.state]}</span>
      {worker.drained_by !== null && (
        <span className="detail workers-why">
          by {worker.drained_by}
          {worker.drained_at && (
            <>
              {" "}
              <Ago at={worker.drained_at} />
            </>
          )}
        </span>
      )}
      {worker.state === "clock_wrong" && <span className="detail workers-why">claims nothing until it is set right</span>}
      {worker.spool && <span className="detail workers-why workers-spool">{worker.spool}</span>}
    </>
  );
}

/** How many of its slots are taken, as a meter and in words. */
function Slots({ slots, load, workerId }: { slots: number; load: Load; workerId: string }) {
  if (load.running === null) return <span className="number">– of {slots}</span>;
  const running = load.running.get(workerId) ?? 0;
  return (
    <span className="workers-load">
      <meter min={0} max={Math.max(slots, 1)} value={Math.min(running, slots)} aria-label={`Load of ${workerId}`} />
      <span className="number">
        {load.whole ? "" : "≥ "}
        {running} of {slots}
      </span>
    </span>
  );
}

function Labels({ labels }: { labels: Record<string, string> }) {
  const all = Object.entries(labels).sort(([one], [other]) => one.localeCompare(other));
  if (all.length === 0) return <>–</>;
  return (
    <ul className="workers-labels">
      {all.map(([name, value]) => (
        <li key={name}>
          {name}
          {value && <>={value}</>}
        </li>
      ))}
    </ul>
  );
}

/** `+12 ms`: how far the worker's clock is ahead of the others'. */
export function offsetText(offset: number | null): string {
  if (offset === null) return "not measured";
  const sign = offset > 0 ? "+" : offset < 0 ? "−" : "±";
  const size = Math.abs(offset);
  return size < 1000 ? `${sign}${Math.round(size)} ms` : `${sign}${(size / 1000).toFixed(1)} s`;
}
