/** What the list of jobs can be filtered and sorted by, as it stands in the address. */

export type JobFilters = {
  q: string;
  namespace: string;
  tag: readonly string[];
  state: string;
  sort: string;
};

export const JOB_FILTERS: JobFilters = { q: "", namespace: "", tag: [], state: "", sort: "name" };

/** Whether anything is chosen out. */
export const isFiltered = ({ q, namespace, tag, state }: JobFilters): boolean =>
  q !== "" || namespace !== "" || tag.length > 0 || state !== "";
