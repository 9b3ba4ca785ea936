import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ComponentType } from "react";
import { Link } from "wouter";
import { jobQuery } from "../../api/master";
import type { Job } from "../../api/types";
import { useFilters } from "../../api/useFilters";
import { Icon } from "../../components/icons";
import { JobState } from "../../components/JobState";
import { Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import type { PageProps } from "../../routes";
import { Definition } from "./Definition";
import { Dependencies } from "./Dependencies";
import "./job.css";
import { JobActions } from "./JobActions";
import { JobSummary } from "./JobSummary";
import { Runs } from "./Runs";
import { Schedule } from "./Schedule";
import { Versions } from "./Versions";

const TABS: Record<string, { label: string; content: ComponentType<{ job: Job }> }> = {
  runs: { label: "Runs", content: ({ job }) => <Runs jobId={job.job_id} /> },
  schedule: { label: "Schedule", content: Schedule },
  dependencies: { label: "Dependencies", content: Dependencies },
  versions: { label: "Versions", content: Versions },
  definition: { label: "Definition", content: Definition },
};
const FILTERS = { tab: "runs" };

/** Everything about one job. */
export default function JobPage({ params: { id = "" } }: PageProps) {
  const job = useQuery(jobQuery(id));
  usePageTitle(job.data?.spec.name ?? "Job");
  return (
    <>
      <Link href="/jobs" className="back-link">
        <Icon name="back" />
        Jobs
      </Link>
      <Ready query={job}>{(data) => <JobView job={data} />}</Ready>
    </>
  );
}

function JobView({ job }: { job: Job }) {
  const [{ tab }, change] = useFilters(FILTERS);
  return (
    <>
      <div className="page-head">
        <div className="title">
          <h1>{job.spec.name}</h1>
          <span className="job-namespace">{job.spec.namespace ?? "default"}</span>
          <JobState enabled={job.spec.enabled ?? true} />
        </div>
        <JobActions job={job} />
      </div>
      {job.spec.description && <p className="lede">{job.spec.description}</p>}
      <JobSummary job={job} />
      <Tabs value={TABS[tab] ? tab : "runs"} onChange={(value) => change({ tab: value ?? "runs" })} keepMounted={false}>
        <Tabs.List className="job-tabs" aria-label="About this job">
          {Object.entries(TABS).map(([value, { label }]) => (
            <Tabs.Tab key={value} value={value}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {Object.entries(TABS).map(([value, { content: Content }]) => (
          <Tabs.Panel key={value} value={value}>
            <Content job={job} />
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}
