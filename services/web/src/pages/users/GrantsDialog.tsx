import { useState } from "react";
import type { User } from "../../api/types";
import { setGrants } from "../../api/users";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { GrantsField } from "../../session/GrantsField";
import { holds } from "../../session/rights";
import { useMay, useSession } from "../../session/useSession";
import { useDone } from "./useDone";

/** Changes what a user may do; whoever administers some namespaces only sees and changes the roles there. */
export function GrantsDialog({ user: { name, grants: first }, close }: { user: User; close(): void }) {
  const [grants, grant] = useState(first);
  const { grants: own } = useSession();
  const may = useMay();
  const administered = Object.fromEntries(Object.entries(own).filter(([namespace]) => holds(own, "admin", namespace)));
  const done = useDone(close);
  return (
    <ConfirmDialog
      title={`Roles of ${name}`}
      action="Save the roles"
      confirm={() => done(setGrants(name, grants), `The roles of ${name} are saved.`)}
      close={close}
    >
      <GrantsField first={first} change={grant} {...(may("admin") ? {} : { most: administered })} />
    </ConfirmDialog>
  );
}
