import { Button, Group, Modal } from "@mantine/core";
import { useState } from "react";
import { isNothing, Nothing, valueText } from "../../components/Changes";
import type { Draft, Json } from "./draft";
import { allOf, type Choices, chosen, firstChoices, isDecided, rivalries, type Rivalry, type Side } from "./rival";

export interface Rival {
  spec: Draft;
  version: number;
}

interface Props {
  base: Draft; // what mine began from
  rival: Rival;
  by: string | undefined; // who saved it, once that is known
  mine: Draft;
  busy: boolean;
  save(draft: Draft): void;
  close(): void;
}

/** Somebody saved the job meanwhile: shows in which fields their version and yours differ, and asks which to take. */
export function RivalDialog({ base, rival, by, mine, busy, save, close }: Props) {
  const rows = rivalries(base, rival.spec, mine);
  const [choices, choose] = useState<Choices>(() => firstChoices(rows));
  const open = rows.filter(({ field }) => choices[field] === undefined).length;
  return (
    <Modal opened onClose={close} size="56rem" title="Somebody else has saved this job">
      <div className="dialog">
        <p className="muted">
          Version {rival.version}
          {by && ` by ${by}`} came while you edited. Nothing of either is lost: choose for each field which one stands.
          What only one of you changed is chosen already.
        </p>
        <Group gap="xs">
          <Button onClick={() => choose(allOf(rows, "theirs"))}>All theirs</Button>
          <Button onClick={() => choose(allOf(rows, "mine"))}>All mine</Button>
        </Group>
        <table className="edit-rival">
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Theirs</th>
              <th scope="col">Mine</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <RivalRow key={row.field} row={row} side={choices[row.field]} choose={(side) => choose({ ...choices, [row.field]: side })} />
            ))}
          </tbody>
        </table>
        <Group justify="flex-end" gap="xs">
          {open > 0 && <span className="muted">{open === 1 ? "One field is" : `${open} fields are`} still to be chosen</span>}
          <Button onClick={close}>Back to the edit</Button>
          <Button
            variant="filled"
            loading={busy}
            disabled={!isDecided(rows, choices)}
            onClick={() => save(chosen(rows, choices, rival.spec, mine))}
          >
            Save what is chosen
          </Button>
        </Group>
      </div>
    </Modal>
  );
}

interface RowProps {
  row: Rivalry;
  side: Side | undefined;
  choose(side: Side): void;
}

function RivalRow({ row, side, choose }: RowProps) {
  const { field, before, after, changedBy } = row;
  return (
    <tr className={changedBy === "both" ? "edit-rival-both" : ""}>
      <th scope="row">
        <code>{field}</code>
        {changedBy === "both" && <span className="edit-rival-sign">both changed it</span>}
      </th>
      <RivalCell name={field} label="Theirs" value={before} checked={side === "theirs"} choose={() => choose("theirs")} />
      <RivalCell name={field} label="Mine" value={after} checked={side === "mine"} choose={() => choose("mine")} />
    </tr>
  );
}

interface CellProps {
  name: string;
  label: string;
  value: Json | undefined;
  checked: boolean;
  choose(): void;
}

function RivalCell({ name, label, value, checked, choose }: CellProps) {
  return (
    <td data-name={label}>
      <label className="edit-rival-choice">
        <input type="radio" name={`rival ${name}`} aria-label={`${label}: ${name}`} checked={checked} onChange={choose} />
        {isNothing(value) ? <Nothing value={value} /> : <code>{valueText(value)}</code>}
      </label>
    </td>
  );
}
