import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { deleteSecret, secretReference } from "../../api/secrets";
import type { Secret } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { useNotices } from "../../components/notices";
import { Ago } from "../../components/When";
import { useMay } from "../../session/useSession";
import { SecretDialog } from "./SecretDialog";

interface Asked {
  what: "replace" | "delete";
  secret: Secret;
}

/** A row for each secret; who may not change it sees that it is there. */
export function SecretsTable({ secrets }: { secrets: readonly Secret[] }) {
  const [asked, ask] = useState<Asked | null>(null);
  const close = (): void => ask(null);
  return (
    <div className="panel">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Secret</th>
            <th scope="col">Namespace</th>
            <th scope="col">Changed</th>
            <th scope="col">By</th>
            <th scope="col">
              <span className="visually-hidden">Commands</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {secrets.map((secret) => (
            <tr key={`${secret.namespace}/${secret.name}`}>
              <th scope="row" className="secrets-name">
                <code>{secretReference(secret.name)}</code>
              </th>
              <td data-name="Namespace" className="secrets-name">
                {secret.namespace}
              </td>
              <td data-name="Changed">
                <Ago at={secret.updated_at} />
              </td>
              <td data-name="By">{secret.updated_by}</td>
              <td className="secrets-commands">
                <Commands secret={secret} ask={(what) => ask({ what, secret })} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {asked?.what === "replace" && <SecretDialog replaces={asked.secret} namespace={asked.secret.namespace} close={close} />}
      {asked?.what === "delete" && <DeleteDialog secret={asked.secret} close={close} />}
    </div>
  );
}

function Commands({ secret, ask }: { secret: Secret; ask(what: Asked["what"]): void }) {
  if (!useMay()("editor", secret.namespace)) return null;
  return (
    <div className="actions">
      <Button onClick={() => ask("replace")} aria-label={`Replace the value: ${secret.name}`}>
        Replace
      </Button>
      <Button onClick={() => ask("delete")} aria-label={`Delete: ${secret.name}`}>
        Delete
      </Button>
    </div>
  );
}

function DeleteDialog({ secret: { namespace, name }, close }: { secret: Secret; close(): void }) {
  const client = useQueryClient();
  const notices = useNotices();
  const confirm = async (): Promise<void> => {
    await deleteSecret(namespace, name);
    close();
    void client.invalidateQueries({ queryKey: ["secrets"] });
    notices.done(`The secret ${name} is deleted.`);
  };
  return (
    <ConfirmDialog title={`Delete the secret ${name}?`} action="Delete" danger typed={name} confirm={confirm} close={close}>
      <p className="muted">
        Jobs of the namespace {namespace} that name it fail to start from then on. Its value cannot be brought back.
      </p>
    </ConfirmDialog>
  );
}
