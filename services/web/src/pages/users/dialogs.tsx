/** Questions before a user is disabled, enabled, logged out or removed. */

import { endSessions } from "../../api/session";
import { disableUser, enableUser, removeUser } from "../../api/users";
import type { User } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { useDone } from "./useDone";

interface DialogProps {
  user: User;
  close(): void;
}

export function DisableDialog({ user: { name }, close }: DialogProps) {
  const done = useDone(close);
  const confirm = (): Promise<void> => done(disableUser(name), `${name} is disabled.`);
  return (
    <ConfirmDialog title={`Disable ${name}?`} action="Disable" danger confirm={confirm} close={close}>
      <p className="muted">Their sessions end and their tokens are refused until they are enabled again. What they made stays.</p>
    </ConfirmDialog>
  );
}

export function EnableDialog({ user: { name }, close }: DialogProps) {
  const done = useDone(close);
  const confirm = (): Promise<void> => done(enableUser(name), `${name} is enabled.`);
  return (
    <ConfirmDialog title={`Enable ${name}?`} action="Enable" confirm={confirm} close={close}>
      <p className="muted">They can log in again, with the roles that they have.</p>
    </ConfirmDialog>
  );
}

export function EndSessionsDialog({ user: { name }, close }: DialogProps) {
  const done = useDone(close);
  const confirm = (): Promise<void> => done(endSessions(name), `${name} is logged out everywhere.`);
  return (
    <ConfirmDialog title={`Log ${name} out everywhere?`} action="Log out" danger confirm={confirm} close={close}>
      <p className="muted">Their browsers have to log in again. Their tokens go on.</p>
    </ConfirmDialog>
  );
}

export function RemoveDialog({ user: { name }, close }: DialogProps) {
  const done = useDone(close);
  const confirm = (): Promise<void> => done(removeUser(name), `${name} is removed.`);
  return (
    <ConfirmDialog title={`Remove ${name}?`} action="Remove" danger typed={name} confirm={confirm} close={close}>
      <p className="muted">Their sessions and tokens end for good. Their jobs stay, and the audit keeps their name.</p>
    </ConfirmDialog>
  );
}
