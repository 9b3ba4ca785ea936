import { useSyncExternalStore } from "react";
import { keeper } from "../api/services";
import type { Role, Session } from "../api/types";
import { holds } from "./rights";
import type { SessionState } from "./keeper";

export const useSessionState = (): SessionState => useSyncExternalStore(keeper.subscribe, keeper.state);

const NOBODY: Session = { user: "", display_name: "", grants: {}, how: "session", csrf: "", expires_at: null };

/** Who is logged in; after the session is over, who was. */
export function useSession(): Session {
  const state = useSessionState();
  if (state.kind === "open") return state.session;
  return (state.kind === "over" && state.last) || NOBODY;
}

/** Whether the user has a role in a namespace (or, without one, for the whole system): what they may not is not offered. */
export function useMay(): (role: Role, namespace?: string) => boolean {
  const { grants } = useSession();
  return (role, namespace) => holds(grants, role, namespace);
}
