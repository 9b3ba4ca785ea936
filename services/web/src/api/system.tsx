import { createContext, type ReactNode, useContext, useMemo } from "react";
import { Ingester, ingesterAddress } from "./ingester";
import { getInfo } from "./master";
import { usePolled } from "./usePolled";

const INFO_POLL_MS = 5000;

interface System {
  version: string | null;
  ingester: Ingester | null; // null until the master has told where it is
  error: Error | null;
}

const SystemContext = createContext<System>({ version: null, ingester: null, error: null });

/** What the master tells about the system: its version and where the log-ingester is. */
export const useSystem = (): System => useContext(SystemContext);

export function SystemProvider({ children }: { children: ReactNode }) {
  const { data, error } = usePolled(getInfo, INFO_POLL_MS);
  const address = data ? ingesterAddress(data.log_ingester_url, window.location.href) : null;
  const version = data?.version ?? null;
  const system = useMemo(
    () => ({ version, ingester: address === null ? null : new Ingester(address), error }),
    [version, address, error],
  );
  return <SystemContext value={system}>{children}</SystemContext>;
}
