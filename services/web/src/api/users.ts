/** Users and their grants, for administrators. */

import { queryOptions } from "@tanstack/react-query";
import { command } from "./master";
import { master } from "./services";
import type { Grants, LoginLink, NewUser, User, UserList } from "./types";

export const usersQuery = queryOptions({
  queryKey: ["users", "list"],
  queryFn: ({ signal }) => master.request<UserList>("/api/v1/users", { signal }),
});

/** One user; oneself, or for an administrator anybody. */
export const userQuery = (name: string) =>
  queryOptions({
    queryKey: ["users", "one", name],
    queryFn: ({ signal }) => master.request<User>(userPath(name), { signal }),
  });

export const createUser = (user: NewUser): Promise<User> => command("POST", "/api/v1/users", { body: user });
export const removeUser = (name: string): Promise<unknown> => command("DELETE", userPath(name));
export const disableUser = (name: string): Promise<User> => command("POST", `${userPath(name)}/disable`);
export const enableUser = (name: string): Promise<User> => command("POST", `${userPath(name)}/enable`);

export const setGrants = (name: string, grants: Grants): Promise<User> =>
  command("PUT", `${userPath(name)}/grants`, { body: { grants } });

export const makeLoginLink = (name: string): Promise<LoginLink> => command("POST", `${userPath(name)}/login-links`);

/** Change a password; one's own only with the one that is in force. */
export const setPassword = (name: string, password: string, current: string): Promise<unknown> =>
  command("PUT", `${userPath(name)}/password`, { body: { password, current_password: current } });

const userPath = (name: string): string => `/api/v1/users/${encodeURIComponent(name)}`;
