import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { usersQuery } from "../../api/users";
import { Icon } from "../../components/icons";
import { Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import { Allowed } from "../../session/Allowed";
import { namespacesWith } from "../../session/rights";
import { useMay, useSession } from "../../session/useSession";
import { LinkDialog } from "./LinkDialog";
import { NewUserDialog } from "./NewUserDialog";
import "./users.css";
import { UsersTable } from "./UsersTable";

/** Who may log in, and what each may do. For administrators; those of some namespaces grant roles there. */
export default function UsersPage() {
  usePageTitle("Users");
  const [first] = namespacesWith(useSession().grants, "admin") ?? [];
  return (
    <Allowed role="admin" {...(first === undefined ? {} : { namespace: first })}>
      <Users />
    </Allowed>
  );
}

function Users() {
  const users = useQuery(usersQuery);
  const may = useMay();
  const [adding, add] = useState(false);
  const [created, invite] = useState<string | null>(null); // who needs a link to log in with
  return (
    <>
      <div className="page-head">
        <h1>
          Users {users.data && <span className="count">{users.data.users.length}</span>}
        </h1>
        {may("admin") && (
          <Button variant="filled" leftSection={<Icon name="plus" />} onClick={() => add(true)}>
            New user
          </Button>
        )}
      </div>
      <Ready query={users}>{(data) => <UsersTable users={data.users} />}</Ready>
      {adding && (
        <NewUserDialog
          created={(name) => {
            add(false);
            invite(name);
          }}
          close={() => add(false)}
        />
      )}
      {created !== null && <LinkDialog user={created} close={() => invite(null)} />}
    </>
  );
}
