import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { endSessions } from "../../api/session";
import { userQuery } from "../../api/users";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { Fact, Facts } from "../../components/Facts";
import { Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import { At } from "../../components/When";
import { GrantList } from "../../session/GrantList";
import { useSession } from "../../session/useSession";
import "./account.css";
import { PasswordForm } from "./PasswordForm";
import { Tokens } from "./Tokens";

/** What users see of themselves: roles, tokens, password, sessions. */
export default function AccountPage() {
  usePageTitle("Account");
  const { user, display_name, grants, expires_at } = useSession();
  return (
    <>
      <div className="page-head">
        <h1>Account</h1>
      </div>
      <section className="panel facts-panel" aria-label="Who you are">
        <Facts>
          <Fact name="User">
            {user}
            {display_name && display_name !== user && <span className="detail">{display_name}</span>}
          </Fact>
          <Fact name="Roles">
            <GrantList grants={grants} />
          </Fact>
          {expires_at && (
            <Fact name="This session lasts until">
              <At at={expires_at} />
            </Fact>
          )}
        </Facts>
      </section>
      <Tokens user={user} isOwn />
      <section>
        <h2>Password</h2>
        <Password user={user} />
      </section>
      <section>
        <h2>Sessions</h2>
        <EndSessions user={user} />
      </section>
    </>
  );
}

function Password({ user }: { user: string }) {
  const known = useQuery(userQuery(user));
  return (
    <Ready query={known} rows={2}>
      {({ origin, has_password }) =>
        origin === "oidc" && !has_password ? (
          <p className="muted">You log in with the identity provider, and need no password here.</p>
        ) : (
          <PasswordForm user={user} hasPassword={has_password} />
        )
      }
    </Ready>
  );
}

function EndSessions({ user }: { user: string }) {
  const [asking, ask] = useState(false);
  const confirm = async (): Promise<void> => {
    await endSessions(user);
    window.location.assign("/login");
  };
  return (
    <div className="panel account-panel">
      <p className="muted">Where you are logged in with a browser, also on computers that you left. Tokens go on.</p>
      <Button color="red" variant="light" onClick={() => ask(true)}>
        Log out everywhere
      </Button>
      {asking && (
        <ConfirmDialog title="Log out everywhere?" action="Log out everywhere" danger confirm={confirm} close={() => ask(false)}>
          <p className="muted">All your sessions end, this one too. You can log in again at once.</p>
        </ConfirmDialog>
      )}
    </div>
  );
}
