import { type ReactNode, useState } from "react";
import type { Role } from "../api/types";
import { Empty } from "../components/states";
import { missingText } from "./rights";
import { useMay } from "./useSession";

interface Props {
  role: Role;
  namespace?: string;
  children: ReactNode;
}

/**
 * What only a role may see; in its place, for others, what is missing. Once shown it stays, with what was typed into
 * it: a role that is taken away meanwhile is the services' to judge.
 */
export function Allowed({ role, namespace, children }: Props) {
  const may = useMay()(role, namespace);
  const [mayHave] = useState(may);
  if (may || mayHave) return children;
  return (
    <Empty title="You may not do this">
      <p>{missingText(role, namespace)}</p>
    </Empty>
  );
}
