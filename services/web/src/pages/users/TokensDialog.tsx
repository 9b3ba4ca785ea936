import { Modal } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { tokensQuery } from "../../api/tokens";
import { Ready } from "../../components/states";
import { TokensTable } from "../account/TokensTable";

/** The tokens of another user, which an administrator can revoke. */
export function TokensDialog({ user, close }: { user: string; close(): void }) {
  const tokens = useQuery(tokensQuery(user));
  return (
    <Modal opened onClose={close} title={`Tokens of ${user}`} size="xl">
      <Ready query={tokens} rows={2}>
        {(data) => (data.tokens.length === 0 ? <p className="muted">None.</p> : <TokensTable tokens={data.tokens} />)}
      </Ready>
    </Modal>
  );
}
