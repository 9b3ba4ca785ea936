/** What the user who is logged in does with their own session. */

import { command } from "./master";
import { keeper } from "./services";

/** End the session, here and at the master; the page is left for the login's. */
export async function logOut(): Promise<void> {
  await command("POST", "/api/v1/session/logout");
  window.location.assign("/login");
}

/** End all sessions of a user; of one's own, this one too. */
export async function endSessions(user: string): Promise<void> {
  await command("DELETE", `/api/v1/users/${encodeURIComponent(user)}/sessions`);
  await keeper.refresh();
}
