import { createContext, type ReactNode, useCallback, useContext, useEffect, useState } from "react";
import { RefusedError } from "../api/client";
import { Icon } from "./icons";
import { notLoggedIn, titleOf } from "./Trouble";

const SHOWN_MS = 6000;

interface Notice {
  id: number;
  tone: "done" | "failed";
  content: ReactNode;
}

interface Notices {
  done(content: ReactNode): void;
  failed(error: Error): void;
}

const NoticesContext = createContext<Notices>({ done: () => undefined, failed: () => undefined });

/** Tell what became of a command. */
export const useNotices = (): Notices => useContext(NoticesContext);

export function NoticesProvider({ children }: { children: ReactNode }) {
  const [notice, setNotice] = useState<Notice | null>(null);
  const done = useCallback((content: ReactNode) => setNotice({ id: Date.now(), tone: "done", content }), []);
  const failed = useCallback(
    (error: Error) => setNotice({ id: Date.now(), tone: "failed", content: failureText(error) }),
    [],
  );
  const [notices] = useState({ done, failed });

  useEffect(() => {
    if (notice?.tone !== "done") return; // a failure stays until it is put away
    const timer = setTimeout(() => setNotice(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);

  return (
    <NoticesContext value={notices}>
      {children}
      <div className="notices" aria-live="polite">
        {notice && (
          <div key={notice.id} className={`notice notice-${notice.tone}`}>
            <Icon name={notice.tone === "done" ? "check" : "alert"} />
            <div>{notice.content}</div>
            <button type="button" className="button-plain" onClick={() => setNotice(null)} aria-label="Put this away">
              <Icon name="cross" />
            </button>
          </div>
        )}
      </div>
    </NoticesContext>
  );
}

function failureText(error: Error): string {
  if (notLoggedIn(error)) return "Not done: your session is over. Log in, then try again.";
  const detail = error instanceof RefusedError ? error.problem.detail : "Nothing is known to have changed; try again.";
  return detail ? `${titleOf(error)}: ${detail}` : titleOf(error);
}
