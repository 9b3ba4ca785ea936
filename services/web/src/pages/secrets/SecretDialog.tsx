import { Checkbox, PasswordInput, Textarea, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { setSecret } from "../../api/secrets";
import type { Secret } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { NamespaceField } from "../../components/NamespaceField";
import { useNotices } from "../../components/notices";
import { holds, missingText } from "../../session/rights";
import { useSession } from "../../session/useSession";

interface Props {
  namespace: string; // suggested, or that of the one that is replaced
  replaces?: Secret;
  close(): void;
}

/** Sets a secret's value. The value goes to the master and never comes back, so that there is nothing to fill in. */
export function SecretDialog({ namespace: first, replaces, close }: Props) {
  const [namespace, setNamespace] = useState(first || "default");
  const [name, setName] = useState(replaces?.name ?? "");
  const [value, setValue] = useState("");
  const { grants } = useSession();
  const client = useQueryClient();
  const notices = useNotices();
  const confirm = async (): Promise<void> => {
    await setSecret(namespace, name, value);
    close();
    void client.invalidateQueries({ queryKey: ["secrets"] });
    notices.done(replaces ? `${name} has a new value; runs that start from now on get it.` : `The secret ${name} is kept.`);
  };
  const may = namespace === "" || holds(grants, "editor", namespace);
  return (
    <ConfirmDialog title={replaces ? `New value of ${name}` : "New secret"} action={replaces ? "Replace" : "Keep it"} confirm={confirm} close={close}>
      {!replaces && (
        <>
          <NamespaceField label="Namespace" value={namespace} change={setNamespace} error={may ? undefined : missingText("editor", namespace)} />
          <TextInput
            label="Name"
            description="As a variable's: letters, digits, underscores"
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value.trim())}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            data-autofocus
          />
        </>
      )}
      <ValueField value={value} change={setValue} />
    </ConfirmDialog>
  );
}

/** What is typed is hidden, also where it has several lines, which a password field cannot hold. */
function ValueField({ value, change }: { value: string; change(value: string): void }) {
  const [long, setLong] = useState(false);
  const shared = { label: "Value", required: true, value, autoComplete: "new-password", spellCheck: false } as const;
  return (
    <>
      {long ? (
        <Textarea {...shared} className="secrets-lines" autosize minRows={4} maxRows={10} onChange={(event) => change(event.currentTarget.value)} />
      ) : (
        <PasswordInput
          {...shared}
          visibilityToggleButtonProps={{ "aria-label": "Show what is typed" }}
          onChange={(event) => change(event.currentTarget.value)}
        />
      )}
      <Checkbox
        label="It has several lines, such as a key file"
        checked={long}
        onChange={(event) => {
          setLong(event.currentTarget.checked);
          change("");
        }}
      />
    </>
  );
}
