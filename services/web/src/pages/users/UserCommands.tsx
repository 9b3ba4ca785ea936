import { ActionIcon, Menu } from "@mantine/core";
import { useState } from "react";
import type { User } from "../../api/types";
import { Icon } from "../../components/icons";
import { useMay } from "../../session/useSession";
import { DisableDialog, EnableDialog, EndSessionsDialog, RemoveDialog } from "./dialogs";
import { GrantsDialog } from "./GrantsDialog";
import { LinkDialog } from "./LinkDialog";
import { TokensDialog } from "./TokensDialog";

type Command = "roles" | "link" | "tokens" | "sessions" | "disable" | "enable" | "remove";

/** What can be done with a user; each asks before it does. */
export function UserCommands({ user }: { user: User }) {
  const [open, setOpen] = useState<Command | null>(null);
  const may = useMay();
  const close = (): void => setOpen(null);
  return (
    <>
      <Menu>
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label={`Commands for ${user.name}`}>
            <Icon name="more" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setOpen("roles")}>Roles…</Menu.Item>
          {may("admin") && <OfAdmins user={user} open={setOpen} />}
        </Menu.Dropdown>
      </Menu>
      {open === "roles" && <GrantsDialog user={user} close={close} />}
      {open === "link" && <LinkDialog user={user.name} close={close} />}
      {open === "tokens" && <TokensDialog user={user.name} close={close} />}
      {open === "sessions" && <EndSessionsDialog user={user} close={close} />}
      {open === "disable" && <DisableDialog user={user} close={close} />}
      {open === "enable" && <EnableDialog user={user} close={close} />}
      {open === "remove" && <RemoveDialog user={user} close={close} />}
    </>
  );
}

function OfAdmins({ user, open }: { user: User; open(command: Command): void }) {
  return (
    <>
      {user.enabled && <Menu.Item onClick={() => open("link")}>One-time login link…</Menu.Item>}
      <Menu.Item onClick={() => open("tokens")}>Tokens…</Menu.Item>
      <Menu.Item onClick={() => open("sessions")}>Log out everywhere…</Menu.Item>
      <Menu.Divider />
      <Menu.Item onClick={() => open(user.enabled ? "disable" : "enable")}>{user.enabled ? "Disable…" : "Enable…"}</Menu.Item>
      <Menu.Item color="red" leftSection={<Icon name="trash" />} onClick={() => open("remove")}>
        Remove…
      </Menu.Item>
    </>
  );
}
