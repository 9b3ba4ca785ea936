/** Secrets: their names are told, their values go one way only. */

import { queryOptions } from "@tanstack/react-query";
import { withQuery } from "./client";
import { command } from "./master";
import { master } from "./services";
import type { Secret, SecretList } from "./types";

/** The secrets of a namespace; of "": of all that the user may view. */
export const secretsQuery = (namespace: string) =>
  queryOptions({
    queryKey: ["secrets", namespace],
    queryFn: ({ signal }) => master.request<SecretList>(withQuery("/api/v1/secrets", { namespace }), { signal }),
  });

export const setSecret = (namespace: string, name: string, value: string): Promise<Secret> =>
  command("PUT", secretPath(namespace, name), { body: { value } });

export const deleteSecret = (namespace: string, name: string): Promise<unknown> =>
  command("DELETE", secretPath(namespace, name));

/** How a job's environment names it. */
export const secretReference = (name: string): string => `\${secret:${name}}`;

const secretPath = (namespace: string, name: string): string =>
  `/api/v1/secrets/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
