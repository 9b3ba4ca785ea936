import { Button, Group, Modal } from "@mantine/core";

/** Asks before what was typed is lost. */
export function LeaveDialog({ leave, stay }: { leave(): void; stay(): void }) {
  return (
    <Modal opened onClose={stay} title="Leave without saving?">
      <div className="dialog">
        <p className="muted">What you changed here is lost then.</p>
        <Group justify="flex-end" gap="xs">
          <Button onClick={stay} data-autofocus>
            Stay
          </Button>
          <Button color="red" variant="filled" onClick={leave}>
            Leave
          </Button>
        </Group>
      </div>
    </Modal>
  );
}
