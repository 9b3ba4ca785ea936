import type { User } from "../../api/types";
import { Ago } from "../../components/When";
import { GrantList } from "../../session/GrantList";
import { UserCommands } from "./UserCommands";

/** A row for each user. */
export function UsersTable({ users }: { users: readonly User[] }) {
  return (
    <div className="panel">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">User</th>
            <th scope="col">State</th>
            <th scope="col">Roles</th>
            <th scope="col">Logs in with</th>
            <th scope="col">Last login</th>
            <th scope="col">
              <span className="visually-hidden">Commands</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {users.map((user) => (
            <Row key={user.name} user={user} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ user }: { user: User }) {
  return (
    <tr>
      <th scope="row" className="users-name">
        {user.name}
        {user.display_name && user.display_name !== user.name && <span className="detail">{user.display_name}</span>}
      </th>
      <td>
        <span className={`state ${user.enabled ? "state-enabled" : "state-paused"}`}>{user.enabled ? "May log in" : "Disabled"}</span>
      </td>
      <td>
        <GrantList grants={user.grants} />
      </td>
      <td data-name="Logs in with">{waysText(user)}</td>
      <td data-name="Last login">{user.last_login ? <Ago at={user.last_login} /> : "never"}</td>
      <td className="users-commands">
        <UserCommands user={user} />
      </td>
    </tr>
  );
}

function waysText({ origin, has_password }: User): string {
  if (origin === "oidc") return "the identity provider";
  return has_password ? "a password" : "one-time links only";
}
