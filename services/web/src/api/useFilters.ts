import { useCallback, useMemo } from "react";
import { useSearchParams } from "wouter";

export type Filters = Record<string, string | readonly string[]>;

/**
 * What a page is filtered by, kept in the address so that every state can be linked to.
 *
 * `defaults` names the filters; an array takes several values. A filter at its default is not in the address.
 * `defaults` must be stable. Changing a filter replaces the entry of the browser's history.
 */
export function useFilters<T extends Filters>(defaults: T): [T, (change: Partial<T>) => void] {
  const [parameters, setParameters] = useSearchParams();
  const filters = useMemo(() => {
    const read = Object.entries(defaults).map(([name, initial]) => {
      const given = parameters.getAll(name);
      if (Array.isArray(initial)) return [name, given.length > 0 ? given : initial];
      return [name, given[0] ?? initial];
    });
    return Object.fromEntries(read) as T;
  }, [defaults, parameters]);

  const change = useCallback(
    (some: Partial<T>) => {
      setParameters((before) => changed(before, some as Filters, defaults), { replace: true });
    },
    [defaults, setParameters],
  );
  return [filters, change];
}

function changed(before: URLSearchParams, change: Filters, defaults: Filters): URLSearchParams {
  const after = new URLSearchParams(before);
  for (const [name, value] of Object.entries(change)) {
    after.delete(name);
    if (String(value) === String(defaults[name])) continue;
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value as string]) after.append(name, one);
  }
  return after;
}
