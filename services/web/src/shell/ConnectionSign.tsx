import { useEffect, useState } from "react";
import { Icon } from "../components/icons";
import { useConnection } from "../live/LiveProvider";
import { useSessionState } from "../session/useSession";

const PATIENCE_MS = 2_000; // shorter breaks are not worth a word

/** Whether the page is told of what happens, in a word. */
export function ConnectionSign() {
  const { kind } = useConnection();
  const text = { connecting: "Connecting", live: "Live", lost: "Not live" }[kind];
  return (
    <span className={`connection connection-${kind}`} role="status" aria-label={`Connection: ${text}`}>
      <span className="connection-text">{text}</span>
    </span>
  );
}

/** Across the page while it is cut off for longer, with a session that goes on. */
export function LostBanner() {
  const connection = useConnection();
  const { kind } = useSessionState();
  const lost = connection.kind === "lost";
  const [long, setLong] = useState(false);
  useEffect(() => {
    if (!lost) return setLong(false);
    const timer = setTimeout(() => setLong(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [lost]);

  if (connection.kind !== "lost" || !long || kind !== "open") return null;
  return (
    <div className="shell-banner" role="status">
      <Icon name="alert" />
      {navigator.onLine
        ? "The live connection is lost; what is shown may be old. Trying again by itself"
        : "This computer is offline; what is shown may be old. It goes on by itself"}{" "}
      {navigator.onLine && `(attempt ${connection.attempt}).`}
    </div>
  );
}
