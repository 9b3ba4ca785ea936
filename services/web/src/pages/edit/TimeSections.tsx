/** When a job runs, what happens then, where, and after which others. */

import { SegmentedControl } from "@mantine/core";
import { AfterField } from "./AfterField";
import { useField } from "./DraftContext";
import { ChoiceField, NamesField, NumberField, SomeField, SwitchField, TextField } from "./fields";
import { isIdle } from "./kinds";
import { More } from "./More";
import { ScheduleWords } from "./SchedulePreview";
import { Section } from "./Section";
import { useKind } from "./useKind";
import { VIEWERS_ZONE } from "./ticks";

const KINDS = [
  { value: "cron", label: "Cron" },
  { value: "every", label: "Every" },
  { value: "at", label: "Once" },
  { value: "none", label: "On request" },
];

const INPUTS: Record<string, { label: string; placeholder: string; help: string }> = {
  cron: { label: "Cron expression", placeholder: "30 2 * * *", help: "Minute, hour, day of month, month, day of week; a second may stand before them, a year after" },
  every: { label: "Every", placeholder: "15m", help: "A duration such as 90s, 15m or 1h30m, counted from when the job is saved" },
  at: { label: "Once at", placeholder: "2026-12-31T23:59:00+01:00", help: "An instant with its zone" },
};

export function ScheduleSection({ isNew }: { isNew: boolean }) {
  const [kind, choose] = useKind("schedule", isNew ? "cron" : "none");
  const wrong = useField("schedule").error;
  const input = INPUTS[kind];
  return (
    <Section title="When">
      <SegmentedControl aria-label="Kind of schedule" value={kind} onChange={choose} data={KINDS} />
      {wrong && (
        <p className="edit-error" role="alert">
          {wrong}
        </p>
      )}
      {input ? (
        <div className="edit-pair">
          <div>
            <TextField key={kind} place={`schedule.${kind}`} code {...input} />
            <ScheduleWords />
          </div>
          <ZoneField />
        </div>
      ) : (
        <p className="edit-help">It has no ticks: it runs when it is asked to, or after other jobs.</p>
      )}
      <SwitchField place="enabled" label="Ticks are on" help="Off: the job is paused" />
      {kind !== "none" && <WindowFields kind={kind} />}
    </Section>
  );
}

function ZoneField() {
  const { value, set } = useField("timezone");
  return (
    <div>
      <TextField place="timezone" label="Time zone" list="edit-zones" help="An IANA name, in which the schedule is read" />
      <datalist id="edit-zones">
        {["UTC", ...Intl.supportedValuesOf("timeZone")].map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      {value !== VIEWERS_ZONE && (
        <button type="button" className="link edit-mine" onClick={() => set(VIEWERS_ZONE)}>
          Use mine, {VIEWERS_ZONE}
        </button>
      )}
    </div>
  );
}

const GAPS = [
  { value: "default", label: "As vixie cron does" },
  { value: "shift", label: "It runs later, by the gap" },
  { value: "skip", label: "It does not run" },
];
const OVERLAPS = [
  { value: "default", label: "As vixie cron does" },
  { value: "first", label: "The first runs" },
  { value: "last", label: "The last runs" },
  { value: "both", label: "Both run" },
];

function WindowFields({ kind }: { kind: string }) {
  return (
    <More title="Window, days of rest, jitter, clock changes" places={["start", "end", "jitter", "exclude", "dst.gap", "dst.overlap"]}>
      <TextField place="start" label="Not before" code placeholder="2027-01-01T00:00:00+01:00" />
      <TextField place="end" label="Not at or after" code placeholder="2027-07-01T00:00:00+02:00" />
      <NamesField place="exclude" label="Days of rest" placeholder="weekends, 12-25, holidays-DE-BE" help="Calendars, in the job's time zone" />
      <TextField place="jitter" label="Jitter" placeholder="none" help="Each tick is up to so much later, such as 30s" />
      {!isIdle("dst", "schedule", kind) && (
        <>
          <ChoiceField place="dst.gap" label="A time that a clock change leaves out" options={GAPS} />
          <ChoiceField place="dst.overlap" label="A time that comes twice" options={OVERLAPS} />
        </>
      )}
    </More>
  );
}

const WHILE_ALIVE = [
  { value: "skip", label: "Skip the tick" },
  { value: "queue", label: "Wait for its turn" },
  { value: "replace", label: "End the old run, then start" },
  { value: "allow", label: "Run side by side" },
];
const MISSED = [
  { value: "skip", label: "Skip them" },
  { value: "once", label: "Run once, for the last one" },
  { value: "all", label: "Run for all of them" },
];
const ENDS = [
  { value: "failed", label: "failed" },
  { value: "timed_out", label: "timed out" },
  { value: "killed", label: "killed" },
  { value: "lost", label: "lost" },
];

export function EventsSection() {
  const misfire = useField("misfire.policy").value;
  const retries = useField("retry.attempts").value !== 0;
  return (
    <Section title="What happens when">
      <div className="edit-pair">
        <ChoiceField place="overlap" label="A tick comes while a run is going on" options={WHILE_ALIVE} />
        <ChoiceField place="misfire.policy" label="Ticks were missed" options={MISSED} help="No worker was there in time" />
        <TextField place="timeout" label="A run takes longer than" placeholder="no limit" help="Then it is ended; such as 1h" />
        <NumberField place="retry.attempts" label="It fails: further attempts" help="0: none" />
      </div>
      {(misfire === "all" || retries) && (
        <div className="edit-pair">
          {misfire === "all" && <NumberField place="misfire.limit" label="Most missed ticks to run for" />}
          {retries && <TextField place="retry.backoff" label="Wait before the first attempt" help="Doubled with each" />}
          {retries && <TextField place="retry.backoff_cap" label="Wait at most" />}
          {retries && <SomeField place="retry.on" label="Attempt again after an end that" options={ENDS} />}
        </div>
      )}
      <More title="Start deadline, kill grace" places={["misfire.start_deadline", "kill_grace"]}>
        <TextField place="misfire.start_deadline" label="A tick is missed when later than" />
        <TextField place="kill_grace" label="From SIGTERM to SIGKILL" />
      </More>
    </Section>
  );
}

const COUNTS = [
  { value: "one", label: "One of those that match" },
  { value: "every", label: "Every one that matches" },
];

export function PlaceSection() {
  return (
    <Section title="Where, and after what">
      <div className="edit-pair">
        <TextField place="placement.labels" label="Labels of the worker" code placeholder="any worker" help="Such as zone=berlin, disk!=slow, tier in (web, batch)" />
        <ChoiceField place="placement.workers" label="Workers per tick" options={COUNTS} help="How many run it" />
      </div>
      <AfterField />
    </Section>
  );
}
