import { Button, PasswordInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { setPassword } from "../../api/users";
import { useNotices } from "../../components/notices";
import { Trouble } from "../../components/Trouble";

const NOTHING = { current: "", next: "", again: "" };

/** Changes one's own password, or sets the first one. */
export function PasswordForm({ user, hasPassword }: { user: string; hasPassword: boolean }) {
  const [typed, type] = useState(NOTHING);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const client = useQueryClient();
  const notices = useNotices();
  const differs = typed.again !== "" && typed.next !== typed.again;
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await setPassword(user, typed.next, typed.current);
      type(NOTHING);
      void client.invalidateQueries({ queryKey: ["users"] });
      notices.done("Your password is changed. Your other sessions have ended.");
    } catch (thrown) {
      setError(thrown as Error);
    } finally {
      setBusy(false);
    }
  };
  const field = (name: keyof typeof NOTHING) => ({
    value: typed[name],
    onChange: (event: { currentTarget: { value: string } }) => type({ ...typed, [name]: event.currentTarget.value }),
    visibilityToggleButtonProps: { "aria-label": "Show what is typed" },
  });
  return (
    <form className="panel account-panel account-password" onSubmit={(event) => void submit(event)} aria-label="Change the password">
      <input type="text" name="username" autoComplete="username" value={user} readOnly hidden />
      {hasPassword ? (
        <PasswordInput label="Current password" autoComplete="current-password" required {...field("current")} />
      ) : (
        <p className="muted">You have none yet: you came by a one-time link.</p>
      )}
      <PasswordInput label="New password" autoComplete="new-password" required {...field("next")} />
      <PasswordInput
        label="New password again"
        autoComplete="new-password"
        required
        error={differs && "Not the same as above"}
        {...field("again")}
      />
      {error && <Trouble error={error} />}
      <Button type="submit" loading={busy} disabled={typed.next === "" || typed.next !== typed.again}>
        {hasPassword ? "Change the password" : "Set the password"}
      </Button>
    </form>
  );
}
