import { Icon } from "../components/icons";
import { useUnsaved } from "../components/leaving";
import { LoginLink } from "./LoginLink";
import { useSessionState } from "./useSession";

/** Across the page when the session has ended while it was open. */
export function SessionBanner() {
  const state = useSessionState();
  const unsaved = useUnsaved();
  if (state.kind !== "over" || state.last === null) return null;
  return (
    <div className="shell-banner" role="status">
      <Icon name="lock" />
      <p>
        Your session is over; what is shown may be old. <LoginLink>Log in again</LoginLink>
        {unsaved ? " in another window: what you typed stays here, and can be saved then." : " to go on."}
      </p>
    </div>
  );
}
