import { TextInput } from "@mantine/core";
import { useState } from "react";
import type { Grants } from "../../api/types";
import { createUser } from "../../api/users";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { GrantsField } from "../../session/GrantsField";
import { useDone } from "./useDone";

interface Props {
  created(name: string): void;
  close(): void;
}

/** Adds a user. A password they set themselves, after a one-time link let them in. */
export function NewUserDialog({ created, close }: Props) {
  const [name, setName] = useState("");
  const [displayName, setDisplayName] = useState("");
  const [grants, grant] = useState<Grants>({});
  const done = useDone(() => created(name.trim()));
  const confirm = (): Promise<void> =>
    done(createUser({ name: name.trim(), display_name: displayName.trim(), grants }), `${name.trim()} is added.`);
  return (
    <ConfirmDialog title="New user" action="Add the user" confirm={confirm} close={close}>
      <TextInput
        label="Name"
        description="As the audit names them"
        required
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        data-autofocus
      />
      <TextInput
        label="Full name"
        value={displayName}
        onChange={(event) => setDisplayName(event.currentTarget.value)}
        autoComplete="off"
      />
      <GrantsField first={{}} change={grant} />
    </ConfirmDialog>
  );
}
