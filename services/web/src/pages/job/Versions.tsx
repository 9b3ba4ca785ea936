import { Button, SegmentedControl } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { historyQuery, revertJob } from "../../api/master";
import type { Job, JobHistory, JobSpec, JobVersion } from "../../api/types";
import { useFilters } from "../../api/useFilters";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { Changes } from "../../components/Changes";
import { Icon } from "../../components/icons";
import { useNotices } from "../../components/notices";
import { Ready } from "../../components/states";
import { Ago } from "../../components/When";
import { eventText } from "../../components/words";
import { namespaceOf } from "../../session/rights";
import { useMay } from "../../session/useSession";
import { differenceOf } from "../edit/difference";
import type { Draft } from "../edit/draft";
import { leaves } from "./leaves";

const FILTERS = { version: "", against: "before" };

/** Every version of a job: who made it, what it changed, and the way back to it. */
export function Versions({ job }: { job: Job }) {
  const history = useQuery(historyQuery(job.job_id));
  return <Ready query={history}>{(data) => <VersionsView job={job} history={data} />}</Ready>;
}

function VersionsView({ job, history }: { job: Job; history: JobHistory }) {
  const [{ version, against }, change] = useFilters(FILTERS);
  const may = useMay();
  const newestFirst = [...history.versions].reverse();
  const chosen = newestFirst.find((each) => keyOf(each) === version) ?? newestFirst[0];
  if (!chosen) return null;
  return (
    <div className="versions">
      <ol className="panel versions-list" aria-label="Versions">
        {newestFirst.map((each) => (
          <li key={keyOf(each)}>
            <button type="button" aria-pressed={each === chosen} onClick={() => change({ version: keyOf(each) })}>
              <strong className="number">{each.spec ? `v${each.version}` : "–"}</strong>
              <span>{eventText(each.kind)}</span>
              <span className="detail">
                {each.actor}, <Ago at={each.at} brief />
              </span>
            </button>
          </li>
        ))}
      </ol>
      <section className="panel" aria-label={`Version ${chosen.version}`}>
        <div className="versions-head">
          <h2>{chosen.spec ? `Version ${chosen.version}` : "Deleted"}</h2>
          <SegmentedControl
            aria-label="Compared with"
            data={[
              { value: "before", label: "With the one before" },
              { value: "now", label: "With now" },
            ]}
            value={against}
            onChange={(value) => change({ against: value })}
          />
          {chosen.spec && chosen.version !== job.version && may("editor", namespaceOf(job.spec)) && <Revert job={job} to={chosen} />}
        </div>
        {against === "now" ? (
          <Changes changes={specDiff(chosen.spec, job.spec)} caption={`Version ${chosen.version} and now`} columns={[`Version ${chosen.version}`, "Now"]} />
        ) : (
          <Changes
            changes={changesOf(chosen)}
            caption={`What version ${chosen.version} changed`}
            columns={["Before", chosen.spec ? `Version ${chosen.version}` : "After"]}
          />
        )}
      </section>
    </div>
  );
}

function Revert({ job, to }: { job: Job; to: JobVersion }) {
  const [from, ask] = useState<Job | null>(null); // as it was seen when this was asked for: a rival edit is refused
  const client = useQueryClient();
  const notices = useNotices();
  const confirm = async (seen: Job): Promise<void> => {
    const changed = await revertJob(seen.job_id, to.version, seen.version);
    ask(null);
    void client.invalidateQueries({ queryKey: ["jobs"] });
    notices.done(`${seen.spec.name} is as in version ${to.version} again; that is version ${changed.version}.`);
  };
  return (
    <>
      <Button leftSection={<Icon name="revert" />} onClick={() => ask(job)}>
        Revert to this
      </Button>
      {from && (
        <ConfirmDialog
          title={`Revert ${from.spec.name} to version ${to.version}?`}
          action="Revert"
          confirm={() => confirm(from)}
          close={() => ask(null)}
        >
          <Changes changes={specDiff(from.spec, to.spec)} caption="What reverting changes" columns={["Now", `Version ${to.version}`]} />
        </ConfirmDialog>
      )}
    </>
  );
}

/** What a version changed; the first one made all of it. */
const changesOf = (version: JobVersion) =>
  version.changes.length === 0 && version.version === 1 && version.spec
    ? [...leaves(version.spec)].map(([field, after]) => ({ field, after }))
    : version.changes;

const specDiff = (before: JobSpec | null, after: JobSpec | null) =>
  differenceOf((before ?? {}) as unknown as Draft, (after ?? {}) as unknown as Draft);

const keyOf = ({ version, position }: JobVersion): string => `${version}.${position}`;
