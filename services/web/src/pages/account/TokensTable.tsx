import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { revokeToken } from "../../api/tokens";
import type { ApiToken } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { useNotices } from "../../components/notices";
import { Ago } from "../../components/When";
import { GrantList } from "../../session/GrantList";

/** Tokens that hold, each with the way to end it. */
export function TokensTable({ tokens }: { tokens: readonly ApiToken[] }) {
  const [asked, ask] = useState<ApiToken | null>(null);
  return (
    <div className="panel">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Token</th>
            <th scope="col">May do</th>
            <th scope="col">Made</th>
            <th scope="col">Expires</th>
            <th scope="col">Last used</th>
            <th scope="col">
              <span className="visually-hidden">Commands</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <tr key={token.token_id}>
              <th scope="row" className="account-name">
                {token.name}
                <span className="detail">{token.token_id}</span>
              </th>
              <td>{token.grants ? <GrantList grants={token.grants} /> : <span className="muted">all that its user may</span>}</td>
              <td data-name="Made">
                <Ago at={token.created_at} />
              </td>
              <td data-name="Expires">
                <Ago at={token.expires_at} />
              </td>
              <td data-name="Last used">{token.last_used_on || "never"}</td>
              <td className="account-commands">
                <Button onClick={() => ask(token)} aria-label={`Revoke: ${token.name}`}>
                  Revoke
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {asked && <RevokeDialog token={asked} close={() => ask(null)} />}
    </div>
  );
}

function RevokeDialog({ token, close }: { token: ApiToken; close(): void }) {
  const client = useQueryClient();
  const notices = useNotices();
  const confirm = async (): Promise<void> => {
    await revokeToken(token.token_id);
    close();
    void client.invalidateQueries({ queryKey: ["tokens"] });
    notices.done(`The token ${token.name} is revoked.`);
  };
  return (
    <ConfirmDialog title={`Revoke ${token.name}?`} action="Revoke" danger confirm={confirm} close={close}>
      <p className="muted">Whatever uses it is refused from then on. This cannot be undone.</p>
    </ConfirmDialog>
  );
}
