import type { Job } from "../../api/types";
import { Fact, Facts } from "../../components/Facts";
import { At, Countdown } from "../../components/When";
import { commandText } from "../../components/words";

/** What a job is, in short. */
export function JobSummary({ job }: { job: Job }) {
  const { timezone = "UTC", owner, tags = [], timeout } = job.spec;
  return (
    <section className="panel facts-panel" aria-label="Definition">
      <Facts>
        <Fact name="Schedule">
          {job.schedule_words || job.schedule_text}
          {job.schedule_words !== job.schedule_text && <span className="detail">{job.schedule_text}</span>}
        </Fact>
        <Fact name="Next tick">
          {job.next_tick ? <Countdown to={job.next_tick} zone={timezone} /> : "None"}
          {job.next_tick && (
            <span className="detail">
              <At at={job.next_tick} zone={timezone} />
            </span>
          )}
        </Fact>
        <Fact name="Time zone">{timezone}</Fact>
        {timeout && <Fact name="Timeout">{timeout}</Fact>}
        <Fact name="Version">
          {job.version}
          <span className="detail">
            by {job.updated_by}, <At at={job.updated_at} />
          </span>
        </Fact>
        {owner && <Fact name="Owner">{owner}</Fact>}
        {tags.length > 0 && <Fact name="Tags">{tags.join(", ")}</Fact>}
      </Facts>
      <pre className="command" aria-label="Command">
        {commandText(job.spec)}
      </pre>
    </section>
  );
}
