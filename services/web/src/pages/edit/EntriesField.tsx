import { ActionIcon, Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { Icon } from "../../components/icons";
import { isObject, type Json } from "./draft";
import { useField } from "./DraftContext";
import { Several } from "./fields";
import { SECRETS_LIST, SecretNames } from "./SecretNames";

interface Entry {
  id: number;
  name: string;
  value: Json;
}

interface Props {
  place: string;
  label: string;
  help: string;
  what: string; // one of them, such as "variable"
}

/** Names with a text each, such as the variables of the environment. A row without a name is not in the definition. */
export function EntriesField({ place, label, help, what }: Props) {
  const { value, set } = useField(place);
  const [rows, setRows] = useState<Entry[]>(() => rowsOf(value));
  const change = (next: Entry[]): void => {
    setRows(next);
    set(entriesOf(next));
  };
  const edit = (id: number, some: Partial<Entry>): void =>
    change(rows.map((row) => (row.id === id ? { ...row, ...some } : row)));

  return (
    <Several place={place} label={label} help={help}>
      <SecretNames />
      {rows.map(({ id, name, value: text }, at) => (
        <div key={id} className="edit-row">
          <TextInput
            aria-label={`Name of ${what} ${at + 1}`}
            placeholder="NAME"
            className="edit-code edit-row-name"
            autoComplete="off"
            spellCheck={false}
            error={name !== "" && rows.findIndex((row) => row.name === name) !== at && "twice"}
            value={name}
            onChange={(event) => edit(id, { name: event.currentTarget.value })}
          />
          <TextInput
            aria-label={`Value of ${what} ${at + 1}`}
            placeholder="value"
            list={SECRETS_LIST}
            className="edit-code edit-row-value"
            autoComplete="off"
            spellCheck={false}
            value={typeof text === "string" ? text : JSON.stringify(text)}
            onChange={(event) => edit(id, { value: event.currentTarget.value })}
          />
          <ActionIcon aria-label={`Remove ${what} ${at + 1}`} onClick={() => change(rows.filter((row) => row.id !== id))}>
            <Icon name="cross" />
          </ActionIcon>
        </div>
      ))}
      <Button
        className="edit-add"
        leftSection={<Icon name="plus" />}
        onClick={() => setRows([...rows, { id: nextId(rows), name: "", value: "" }])}
      >
        Add a {what}
      </Button>
    </Several>
  );
}

const nextId = (rows: readonly Entry[]): number => Math.max(-1, ...rows.map(({ id }) => id)) + 1;

const rowsOf = (value: Json | undefined): Entry[] =>
  Object.entries(isObject(value) ? value : {}).map(([name, text], id) => ({ id, name, value: text }));

/** The rows with a name; of two with the same name, the first. */
export function entriesOf(rows: readonly Omit<Entry, "id">[]): { [name: string]: Json } {
  const named = rows.filter(({ name }) => name !== "").map(({ name, value }) => [name, value] as const);
  return Object.fromEntries(named.reverse());
}
