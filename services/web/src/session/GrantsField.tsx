import { ActionIcon, Button, NativeSelect } from "@mantine/core";
import { useState } from "react";
import type { Grants, Role } from "../api/types";
import { Icon } from "../components/icons";
import { NamespaceField } from "../components/NamespaceField";
import { added, type GrantRow, grantsOf, isTwice, rowsOf } from "./grantRows";
import { EVERYWHERE, holds, ROLES } from "./rights";

const WHAT: Record<Role, string> = {
  viewer: "viewer: sees",
  operator: "operator: runs, kills, pauses",
  editor: "editor: writes jobs",
  admin: "admin: grants",
};

interface Props {
  first: Grants; // what the rows begin with
  change(grants: Grants): void;
  most?: Grants; // more than these cannot be chosen
}

/** Roles, each in a namespace, as rows. */
export function GrantsField({ first, change, most }: Props) {
  const [rows, setRows] = useState<GrantRow[]>(() => rowsOf(first));
  const take = (next: GrantRow[]): void => {
    setRows(next);
    change(grantsOf(next));
  };
  const edit = (id: number, some: Partial<GrantRow>): void =>
    take(rows.map((row) => (row.id === id ? { ...row, ...some } : row)));

  return (
    <fieldset className="grants-field">
      <legend>Roles</legend>
      <p className="detail">
        <code>{EVERYWHERE}</code> stands for all namespaces, and for what belongs to none: workers, users, the log.
      </p>
      {rows.map((row, at) => (
        <div key={row.id} className="grants-row">
          <NamespaceField
            aria-label={`Namespace ${at + 1}`}
            value={row.namespace}
            change={(namespace) => edit(row.id, { namespace })}
            also={[EVERYWHERE]}
            error={isTwice(rows, row) ? "twice" : lacking(most, row)}
          />
          <NativeSelect
            aria-label={`Role ${at + 1}`}
            value={row.role}
            data={ROLES.filter((role) => role === row.role || !most || holds(most, role, row.namespace)).map((role) => ({ value: role, label: WHAT[role] }))}
            onChange={(event) => edit(row.id, { role: event.currentTarget.value as Role })}
          />
          <ActionIcon aria-label={`Remove role ${at + 1}`} onClick={() => take(rows.filter(({ id }) => id !== row.id))}>
            <Icon name="cross" />
          </ActionIcon>
        </div>
      ))}
      <Button leftSection={<Icon name="plus" />} onClick={() => take(added(rows, ""))}>
        Add a role
      </Button>
    </fieldset>
  );
}

const lacking = (most: Grants | undefined, { namespace, role }: GrantRow): string | undefined =>
  most && namespace !== "" && !holds(most, role, namespace) ? "more than you have" : undefined;
