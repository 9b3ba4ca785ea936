/** API tokens, for the command line and for machines. */

import { queryOptions } from "@tanstack/react-query";
import { withQuery } from "./client";
import { command } from "./master";
import { master } from "./services";
import type { ApiTokenList, ApiTokenMade, NewApiToken } from "./types";

/** The tokens of a user that still hold. */
export const tokensQuery = (user: string) =>
  queryOptions({
    queryKey: ["tokens", user],
    queryFn: ({ signal }) => master.request<ApiTokenList>(withQuery("/api/v1/tokens", { user }), { signal }),
  });

/** Make one for whoever is logged in. Its text is in this answer only. */
export const makeToken = (token: NewApiToken): Promise<ApiTokenMade> => command("POST", "/api/v1/tokens", { body: token });

export const revokeToken = (tokenId: string): Promise<unknown> =>
  command("DELETE", `/api/v1/tokens/${encodeURIComponent(tokenId)}`);
