import { MultiSelect, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { facetsQuery, workersQuery } from "../../api/master";
import { SearchField } from "../../components/SearchField";
import { statusText } from "../../components/StatusBadge";
import { triggerText } from "../../components/words";
import { type RunFilters, SPANS, STATUSES, TRIGGERS } from "./filters";

interface Props {
  filters: RunFilters;
  change(some: Partial<RunFilters>): void;
}

/** What chooses among runs. */
export function RunsFilters({ filters, change }: Props) {
  const namespaces = useQuery(facetsQuery).data?.namespaces.map(({ value }) => value) ?? [];
  const workers = useQuery(workersQuery).data?.workers.map(({ worker_id }) => worker_id) ?? [];
  return (
    <div className="runs-filters" role="search" aria-label="Runs">
      <SearchField label="Search in the output" value={filters.text} onSearch={(text) => change({ text })} />
      <MultiSelect
        aria-label="Status"
        placeholder={filters.status.length > 0 ? "" : "Any status"}
        data={STATUSES.map((value) => ({ value, label: statusText(value) }))}
        value={[...filters.status]}
        onChange={(status) => change({ status })}
        clearable
      />
      <Choice label="Namespace" any="Any namespace" values={namespaces} value={filters.namespace} set={(namespace) => change({ namespace })} />
      <Choice label="Worker" any="Any worker" values={workers} value={filters.worker_id} set={(worker_id) => change({ worker_id })} />
      <Choice label="Begun by" any="Begun by anything" values={[...TRIGGERS]} name={triggerText} value={filters.trigger} set={(trigger) => change({ trigger })} />
      <Choice label="Since" any="All time" values={Object.keys(SPANS)} name={(span) => `Last ${span}`} value={filters.since} set={(since) => change({ since })} />
    </div>
  );
}

interface ChoiceProps {
  label: string;
  any: string;
  values: string[];
  value: string;
  set(value: string): void;
  name?(value: string): string;
}

/** One of some values, or any; what is chosen is among them even if it is not there any more. */
function Choice({ label, any, values, value, set, name = (text) => text }: ChoiceProps) {
  const all = value === "" || values.includes(value) ? values : [...values, value];
  return (
    <Select
      aria-label={label}
      placeholder={any}
      data={all.map((each) => ({ value: each, label: name(each) }))}
      value={value || null}
      onChange={(chosen) => set(chosen ?? "")}
      clearable
    />
  );
}
