import { ActionIcon, Button, NativeSelect, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { jobsQuery } from "../../api/master";
import { Icon } from "../../components/icons";
import { isObject, type Json } from "./draft";
import { useField } from "./DraftContext";
import { Several } from "./fields";
import { useSettled } from "./useSettled";

interface Dependency {
  job: string;
  on: string;
}

const ENDS = [
  { value: "succeeded", label: "succeeds" },
  { value: "failed", label: "does not succeed" },
  { value: "finished", label: "ends, however" },
];
const SUGGESTED = 20;

/** The jobs whose ends start this one, with the names that there are as suggestions. */
export function AfterField() {
  const { value, set } = useField("after");
  const namespace = useField("namespace").value;
  const [typed, type] = useState<string | null>(null);
  const rows = rowsOf(value);
  const change = (next: readonly Dependency[]): void => set(next.map(({ job, on }) => (on === "succeeded" ? { job } : { job, on })));
  const edit = (at: number, some: Partial<Dependency>): void =>
    change(rows.map((row, index) => (index === at ? { ...row, ...some } : row)));

  return (
    <Several
      place="after"
      label="After other jobs"
      help="It also runs when one of these ends so. They are jobs of the same namespace; whether they exist is told when you save."
    >
      <Suggestions typed={typed} namespace={typeof namespace === "string" ? namespace : "default"} />
      {rows.map(({ job, on }, at) => (
        <div key={at} className="edit-row">
          <TextInput
            aria-label={`Job ${at + 1}`}
            placeholder="name of a job"
            className="edit-row-value"
            list="edit-jobs"
            autoComplete="off"
            spellCheck={false}
            value={job}
            onFocus={() => type(job)}
            onChange={(event) => {
              type(event.currentTarget.value);
              edit(at, { job: event.currentTarget.value });
            }}
          />
          <NativeSelect
            aria-label={`When job ${at + 1}`}
            className="edit-row-name"
            data={ENDS}
            value={on}
            onChange={(event) => edit(at, { on: event.currentTarget.value })}
          />
          <ActionIcon aria-label={`Remove job ${at + 1}`} onClick={() => change(rows.filter((_, index) => index !== at))}>
            <Icon name="cross" />
          </ActionIcon>
        </div>
      ))}
      <Button
        className="edit-add"
        leftSection={<Icon name="plus" />}
        onClick={() => change([...rows, { job: "", on: "succeeded" }])}
      >
        Add a job
      </Button>
    </Several>
  );
}

function Suggestions({ typed, namespace }: { typed: string | null; namespace: string }) {
  const q = useSettled(typed ?? "");
  const { data } = useQuery({ ...jobsQuery({ q, namespace, limit: SUGGESTED }), enabled: typed !== null });
  return (
    <datalist id="edit-jobs">
      {data?.jobs.map((job) => (
        <option key={job.job_id} value={job.spec.name} />
      ))}
    </datalist>
  );
}

const rowsOf = (value: Json | undefined): Dependency[] =>
  (Array.isArray(value) ? value : []).filter(isObject).map(({ job, on }) => ({
    job: typeof job === "string" ? job : "",
    on: typeof on === "string" ? on : "succeeded",
  }));
