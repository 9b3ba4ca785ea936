import { useState } from "react";
import type { User } from "../../api/types";
import { setGrants } from "../../api/users";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { GrantsField } from "../../session/GrantsField";
import { useDone } from "./useDone";

/** Changes what a user may do. */
export function GrantsDialog({ user: { name, grants: first }, close }: { user: User; close(): void }) {
  const [grants, grant] = useState(first);
  const done = useDone(close);
  return (
    <ConfirmDialog
      title={`Roles of ${name}`}
      action="Save the roles"
      confirm={() => done(setGrants(name, grants), `The roles of ${name} are saved.`)}
      close={close}
    >
      <GrantsField first={first} change={grant} />
    </ConfirmDialog>
  );
}
