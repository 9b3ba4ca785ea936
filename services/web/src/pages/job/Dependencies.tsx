import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { recentQuery } from "../../api/ingester";
import { dependenciesQuery } from "../../api/master";
import type { DependencyGraph, Job, Status } from "../../api/types";
import { Empty, Ready } from "../../components/states";
import { StatusBadge } from "../../components/StatusBadge";
import { type Placed, placed } from "./layers";

const WIDTH = 200;
const HEIGHT = 56;
const GAP_X = 72;
const GAP_Y = 16;

/** What this job comes after, and what comes after it, as a graph from left to right. */
export function Dependencies({ job }: { job: Job }) {
  const graph = useQuery(dependenciesQuery(job.job_id));
  return (
    <Ready query={graph}>
      {(data) =>
        data.edges.length === 0 ? (
          <Empty title="It comes after no job, and none after it">
            <p>
              A job's <code>after</code> names the jobs whose end starts it.
            </p>
          </Empty>
        ) : (
          <Graph graph={data} own={job.job_id} />
        )
      }
    </Ready>
  );
}

function Graph({ graph, own }: { graph: DependencyGraph; own: string }) {
  const places = new Map(placed(graph).map((place) => [place.job_id, place]));
  const last = useLastStatus(graph.jobs.map(({ job_id }) => job_id));
  const width = (Math.max(...[...places.values()].map(({ column }) => column)) + 1) * (WIDTH + GAP_X) - GAP_X;
  const height = (Math.max(...[...places.values()].map(({ row }) => row)) + 1) * (HEIGHT + GAP_Y) - GAP_Y;
  return (
    <div className="panel graph" tabIndex={0} role="group" aria-label="Dependencies">
      <div className="graph-plane" style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          {graph.edges.map(({ before, after, on }) => (
            <path key={`${before} ${after}`} className={`edge edge-${on}`} d={curve(places.get(before), places.get(after))} />
          ))}
        </svg>
        {graph.jobs.map(({ job_id, name, enabled }) => {
          const status = last?.get(job_id);
          const starts = graph.edges.filter((edge) => edge.after === job_id && edge.on !== "succeeded");
          return (
            <Link key={job_id} href={`/jobs/${job_id}`} className="node" style={position(places.get(job_id))}
              aria-current={job_id === own ? "true" : undefined}>
              <span className="node-name">{name}</span>
              <span className="node-state">
                {status && <StatusBadge status={status} />}
                {!enabled && <span className="detail">paused</span>}
                {starts[0] && <span className="detail">on {starts[0].on}</span>}
              </span>
            </Link>
          );
        })}
      </div>
    </div>
  );
}

function useLastStatus(jobIds: string[]): Map<string, Status> | undefined {
  const { data } = useQuery(recentQuery(jobIds, 1));
  return data && new Map(data.jobs.flatMap(({ job_id, runs }) => (runs[0] ? [[job_id, runs[0].status] as const] : [])));
}

const position = (place: Placed | undefined) => ({
  left: (place?.column ?? 0) * (WIDTH + GAP_X),
  top: (place?.row ?? 0) * (HEIGHT + GAP_Y),
  width: WIDTH,
  height: HEIGHT,
});

function curve(from: Placed | undefined, to: Placed | undefined): string {
  const start = position(from);
  const end = position(to);
  const [x1, y1] = [start.left + WIDTH, start.top + HEIGHT / 2];
  const [x2, y2] = [end.left, end.top + HEIGHT / 2];
  return `M${x1} ${y1}C${x1 + GAP_X / 2} ${y1} ${x2 - GAP_X / 2} ${y2} ${x2} ${y2}`;
}
