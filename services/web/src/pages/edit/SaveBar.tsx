import { Button, Kbd } from "@mantine/core";
import { useEditing } from "./DraftContext";

interface Props {
  isNew: boolean;
  isBroken: boolean; // the YAML cannot be read
  isChanged: boolean;
  busy: boolean;
  canSave: boolean;
  save(): void;
}

/** Says how the draft stands, and saves it. It stays at the window's foot. */
export function SaveBar({ isNew, isBroken, isChanged, busy, canSave, save }: Props) {
  const { problems } = useEditing();
  const wrong = problems.length;
  const standing = isBroken
    ? "The YAML cannot be read yet"
    : wrong > 0
      ? `${wrong === 1 ? "One problem" : `${wrong} problems`} to mend`
      : isChanged || isNew
        ? "Not saved yet"
        : "Nothing changed";
  return (
    <div className="edit-save">
      <span className={isBroken || wrong > 0 ? "edit-error" : "muted"} role="status">
        {standing}
      </span>
      <span className="edit-keys muted">
        <Kbd>Ctrl</Kbd> <Kbd>Enter</Kbd>
      </span>
      <Button variant="filled" loading={busy} disabled={!canSave} onClick={save}>
        {isNew ? "Create job" : "Save"}
      </Button>
    </div>
  );
}
