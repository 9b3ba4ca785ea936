/** What a job is, and what it runs. */

import { SegmentedControl } from "@mantine/core";
import type { Json } from "./draft";
import { useField } from "./DraftContext";
import { EntriesField } from "./EntriesField";
import { AreaField, asNumber, ChoiceField, ListField, NamesField, NumberField, TextField } from "./fields";
import { isIdle } from "./kinds";
import { More } from "./More";
import { Section } from "./Section";
import { useKind } from "./useKind";

const lines = {
  read: (text: string): Json[] => (text === "" ? [] : text.split("\n")),
  write: (items: readonly Json[]): string => items.join("\n"),
};

const numbers = {
  read: (text: string): Json[] => text.split(/[\s,]+/).filter((word) => word !== "").map(asNumber),
  write: (items: readonly Json[]): string => items.join(", "),
};

const METHODS = ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD"].map((name) => ({ value: name, label: name }));

export function IdentitySection({ isNew }: { isNew: boolean }) {
  return (
    <Section title="Job">
      <div className="edit-pair">
        <TextField place="name" label="Name" required autoFocus={isNew} help="Letters, digits, dots, dashes, underscores" />
        <TextField place="namespace" label="Namespace" help="Keeps the names of teams apart" />
      </div>
      <AreaField place="description" label="Description" rows={1} />
      <div className="edit-pair">
        <TextField place="owner" label="Owner" placeholder="a person or a team" />
        <NamesField place="tags" label="Tags" placeholder="type one, press Enter" />
      </div>
    </Section>
  );
}

export function RunSection() {
  const [kind, choose] = useKind("run", "shell");
  const missing = useField("run").error;
  return (
    <Section title="What runs">
      <SegmentedControl
        aria-label="What runs"
        value={kind}
        onChange={choose}
        data={[
          { value: "shell", label: "Shell script" },
          { value: "argv", label: "Program" },
          { value: "http", label: "HTTP call" },
        ]}
      />
      {missing && (
        <p className="edit-error" role="alert">
          {missing}
        </p>
      )}
      {kind === "shell" && <AreaField place="run.shell" label="Script" code rows={5} required help="Given to /bin/sh -c" />}
      {kind === "argv" && <Arguments />}
      {kind === "http" ? <HttpFields /> : <ProcessFields kind={kind} />}
    </Section>
  );
}

function Arguments() {
  const { value } = useField("run.argv");
  if (Array.isArray(value) && value.some((item) => typeof item === "string" && item.includes("\n"))) {
    return <p className="edit-help">An argument has several lines. It can be changed in the YAML view.</p>;
  }
  const help = "The program, then each argument on a line of its own. No shell reads them.";
  return <ListField place="run.argv" label="Program and arguments" rows={3} required help={help} placeholder="/usr/bin/rsync" {...lines} />;
}

function HttpFields() {
  return (
    <>
      <div className="edit-pair edit-pair-first-small">
        <ChoiceField place="run.http.method" label="Method" options={METHODS} />
        <TextField place="run.http.url" label="Address" code required placeholder="https://example.org/tasks/nightly" />
      </div>
      <AreaField place="run.http.body" label="Body" code />
      <EntriesField place="run.http.headers" label="Headers" help="Sent with the call. A password is named as ${secret:NAME}." what="header" />
      <ListField
        place="run.http.expect_status"
        label="Statuses that are a success"
        placeholder="any 2xx"
        help="Such as 200, 204. Nothing: any from 200 to 299."
        {...numbers}
      />
    </>
  );
}

function ProcessFields({ kind }: { kind: string }) {
  if (isIdle("env", "run", kind)) return null;
  return (
    <>
      <EntriesField place="env" label="Environment" help="Variables of the run. Whoever sees the job sees them: a password is named as ${secret:NAME} and kept among the secrets." what="variable" />
      <More title="User and directory" places={["working_directory", "run_as"]}>
        <TextField place="working_directory" label="Working directory" code placeholder="the worker's own" />
        <TextField place="run_as" label="Run as user" code placeholder="the worker's user" help="The worker must allow it" />
      </More>
    </>
  );
}

export function LimitsSection() {
  const [kind] = useKind("run", "shell");
  const process = !isIdle("limits.cpu_time", "run", kind);
  return (
    <Section title="Limits and keeping">
      <More title="Memory, CPU time, output, retention" places={["limits.memory_bytes", "limits.cpu_time", "limits.output_bytes", "retention"]}>
        {process && <NumberField place="limits.memory_bytes" label="Memory in bytes" placeholder="no limit" help="Address space of each process" />}
        {process && <TextField place="limits.cpu_time" label="CPU time" placeholder="no limit" help="Whole seconds, such as 90s" />}
        <NumberField place="limits.output_bytes" label="Output in bytes" placeholder="the worker's limit" help="What comes after it is not kept" />
        <TextField place="retention" label="Retention" placeholder="the log-ingester's" help="How long runs and their output are kept, such as 30d" />
      </More>
    </Section>
  );
}
