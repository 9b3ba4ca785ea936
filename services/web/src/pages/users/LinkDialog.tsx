import { Button, Group, Modal } from "@mantine/core";
import { useState } from "react";
import type { LoginLink } from "../../api/types";
import { makeLoginLink } from "../../api/users";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { CopyText } from "../../components/CopyText";
import { At } from "../../components/When";

/** Makes an address that logs a user in once, and shows it. */
export function LinkDialog({ user, close }: { user: string; close(): void }) {
  const [link, keep] = useState<LoginLink | null>(null);
  if (link) return <Made user={user} link={link} close={close} />;
  return (
    <ConfirmDialog title={`Login link for ${user}`} action="Make the link" confirm={async () => keep(await makeLoginLink(user))} close={close}>
      <p className="muted">Whoever opens it first is logged in as {user}. Send it by a way that only they read; they can set a password then.</p>
    </ConfirmDialog>
  );
}

function Made({ user, link, close }: { user: string; link: LoginLink; close(): void }) {
  return (
    <Modal opened onClose={close} title={`Login link for ${user}`} closeOnClickOutside={false}>
      <div className="dialog">
        <p>
          <strong>Copy it now: it is never shown again.</strong> It works once, until <At at={link.expires_at} />.
        </p>
        <CopyText label="Link" text={link.url} />
        <Group justify="flex-end">
          <Button onClick={close}>I have it</Button>
        </Group>
      </div>
    </Modal>
  );
}
