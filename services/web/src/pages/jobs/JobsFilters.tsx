import { MultiSelect, SegmentedControl, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { facetsQuery } from "../../api/master";
import type { JobFacets } from "../../api/types";
import { SearchField } from "../../components/SearchField";
import type { JobFilters } from "./filters";

interface Props {
  filters: JobFilters;
  change(some: Partial<JobFilters>): void;
}

/** What chooses among the jobs. The choices are those that there are. */
export function JobsFilters({ filters, change }: Props) {
  const { data } = useQuery(facetsQuery);
  return (
    <div className="jobs-filters" role="search" aria-label="Jobs">
      <SearchField label="Search jobs" value={filters.q} onSearch={(q) => change({ q })} />
      <Select
        aria-label="Namespace"
        placeholder="Any namespace"
        data={choices(data?.namespaces, [filters.namespace])}
        value={filters.namespace || null}
        onChange={(namespace) => change({ namespace: namespace ?? "" })}
        clearable
        searchable
      />
      <MultiSelect
        aria-label="Tags"
        placeholder={filters.tag.length > 0 ? "" : "Any tag"}
        data={choices(data?.tags, filters.tag)}
        value={[...filters.tag]}
        onChange={(tag) => change({ tag })}
        clearable
        searchable
        maxDropdownHeight={320}
      />
      <SegmentedControl
        aria-label="State"
        data={[
          { value: "", label: "All" },
          { value: "enabled", label: "Enabled" },
          { value: "paused", label: "Paused" },
        ]}
        value={filters.state}
        onChange={(state) => change({ state })}
      />
    </div>
  );
}

/** What can be chosen; what is chosen already is among it, even if no job has it any more. */
function choices(facets: JobFacets["tags"] | undefined, chosen: readonly string[]) {
  const known = facets ?? [];
  const gone = chosen.filter((value) => value !== "" && !known.some((facet) => facet.value === value));
  return [...known.map(({ value, jobs }) => ({ value, label: `${value} (${jobs})` })), ...gone.map((value) => ({ value, label: value }))];
}
