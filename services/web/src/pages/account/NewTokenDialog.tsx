import { Button, Group, Modal, NativeSelect, SegmentedControl, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { makeToken } from "../../api/tokens";
import type { ApiTokenMade, Grants } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { CopyText } from "../../components/CopyText";
import { At } from "../../components/When";
import { GrantsField } from "../../session/GrantsField";
import { useSession } from "../../session/useSession";

const LIVES = [
  { value: "7d", label: "in a week" },
  { value: "30d", label: "in 30 days" },
  { value: "90d", label: "in 90 days" },
  { value: "365d", label: "in a year" },
];

/** Makes a token, and shows its text: this once. */
export function NewTokenDialog({ close }: { close(): void }) {
  const [made, keep] = useState<ApiTokenMade | null>(null);
  return made ? <Made made={made} close={close} /> : <Wanted made={keep} close={close} />;
}

function Wanted({ made, close }: { made(token: ApiTokenMade): void; close(): void }) {
  const { grants: own } = useSession();
  const [name, setName] = useState("");
  const [life, setLife] = useState("90d");
  const [scoped, scope] = useState(false);
  const [grants, grant] = useState<Grants>({});
  const client = useQueryClient();
  const confirm = async (): Promise<void> => {
    const token = await makeToken({ name: name.trim(), expires_in: life, grants: scoped ? grants : null });
    void client.invalidateQueries({ queryKey: ["tokens"] });
    made(token);
  };
  return (
    <ConfirmDialog title="New token" action="Make the token" confirm={confirm} close={close}>
      <TextInput
        label="Name"
        description="What it is for, such as the machine that uses it"
        required
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        autoComplete="off"
        spellCheck={false}
        data-autofocus
      />
      <NativeSelect label="Expires" data={LIVES} value={life} onChange={(event) => setLife(event.currentTarget.value)} />
      <SegmentedControl
        aria-label="What it may do"
        value={scoped ? "some" : "all"}
        onChange={(value) => scope(value === "some")}
        data={[
          { value: "all", label: "All that I may" },
          { value: "some", label: "Only some of it" },
        ]}
      />
      {scoped && <GrantsField first={{}} change={grant} most={own} />}
    </ConfirmDialog>
  );
}

function Made({ made: { token, made }, close }: { made: ApiTokenMade; close(): void }) {
  return (
    <Modal opened onClose={close} title={`The token ${made.name}`} closeOnClickOutside={false}>
      <div className="dialog">
        <p>
          <strong>Copy it now: it is never shown again.</strong> It holds until <At at={made.expires_at} />.
        </p>
        <CopyText label="Token" text={token} />
        <p className="muted">
          Give it to the command line as <code>DCRON_TOKEN</code>, or send it as <code>Authorization: Bearer</code>.
        </p>
        <Group justify="flex-end">
          <Button onClick={close}>I have it</Button>
        </Group>
      </div>
    </Modal>
  );
}
