import { Button, Group, Modal, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";
import { Trouble } from "./Trouble";

interface Props {
  title: string;
  children: ReactNode; // what will happen
  action: string; // what the button says
  danger?: boolean;
  typed?: string; // has to be typed before
  confirm(): Promise<void>; // closing the dialog is the caller's
  close(): void;
}

/** Asks before something is done; a refusal is shown where it was asked. Mount it to open it. */
export function ConfirmDialog({ title, children, action, danger = false, typed, confirm, close }: Props) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await confirm();
    } catch (thrown) {
      setError(thrown as Error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Modal opened onClose={close} title={title}>
      <form onSubmit={(event) => void submit(event)} className="dialog">
        {children}
        {typed !== undefined && (
          <TextInput
            label={`Type ${typed} to confirm`}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            autoComplete="off"
            spellCheck={false}
            data-autofocus
          />
        )}
        {error && <Trouble error={error} />}
        <Group justify="flex-end" gap="xs">
          <Button onClick={close}>Cancel</Button>
          <Button
            type="submit"
            variant="filled"
            {...(danger ? { color: "red" } : {})}
            loading={busy}
            disabled={typed !== undefined && text !== typed}
            {...(typed === undefined ? { "data-autofocus": true } : {})}
          >
            {action}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
