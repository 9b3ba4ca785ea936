import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { tokensQuery } from "../../api/tokens";
import { Icon } from "../../components/icons";
import { Empty, Ready } from "../../components/states";
import { NewTokenDialog } from "./NewTokenDialog";
import { TokensTable } from "./TokensTable";

/** The tokens of a user; their own can be made here. */
export function Tokens({ user, isOwn }: { user: string; isOwn: boolean }) {
  const tokens = useQuery(tokensQuery(user));
  const [making, make] = useState(false);
  return (
    <section>
      <div className="account-head">
        <h2>Tokens</h2>
        {isOwn && (
          <Button variant="filled" leftSection={<Icon name="plus" />} onClick={() => make(true)}>
            New token
          </Button>
        )}
      </div>
      <Ready query={tokens} rows={2}>
        {(data) =>
          data.tokens.length === 0 ? (
            <Empty title="No tokens">
              <p>A token lets the command line or a machine act for {isOwn ? "you" : "this user"} until it expires or is revoked.</p>
            </Empty>
          ) : (
            <TokensTable tokens={data.tokens} />
          )
        }
      </Ready>
      {making && <NewTokenDialog close={() => make(false)} />}
    </section>
  );
}
