import { useQueryClient } from "@tanstack/react-query";
import { useNotices } from "../../components/notices";

/** Send a command about a user, then tell what it did and close. */
export function useDone(close: () => void): (sent: Promise<unknown>, done: string) => Promise<void> {
  const client = useQueryClient();
  const notices = useNotices();
  return async (sent, done) => {
    await sent;
    close();
    void client.invalidateQueries({ queryKey: ["users"] });
    notices.done(done);
  };
}
