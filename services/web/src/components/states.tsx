/** What is shown in place of data: not there yet, not there at all, not to be had, or old. */

import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { StaleBanner, Trouble } from "./Trouble";

/** Grey rows where the answer will be. */
export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div className="panel skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton-row" />
      ))}
    </div>
  );
}

/** Nothing is there, and that is no error: say what would make something be there. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <section className="panel empty">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

interface ReadyProps<T> {
  query: UseQueryResult<T>;
  rows?: number; // of the skeleton
  children: (data: T) => ReactNode;
}

/** The answer of a query, or what there is in its place. What was known stays when a later answer fails, and says so. */
export function Ready<T>({ query, rows, children }: ReadyProps<T>) {
  const { data, error, dataUpdatedAt } = query;
  if (data === undefined) return error ? <Trouble error={error} /> : <Loading {...(rows ? { rows } : {})} />;
  return (
    <>
      {error && <StaleBanner error={error} knownAt={dataUpdatedAt} />}
      {children(data)}
    </>
  );
}
