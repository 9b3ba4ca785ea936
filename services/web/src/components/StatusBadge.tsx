import type { Status } from "../api/types";
import { Icon, type IconName } from "./icons";

const LOOKS: Record<Status, { icon: IconName; text: string }> = {
  running: { icon: "spinner", text: "Running" },
  succeeded: { icon: "check", text: "Succeeded" },
  failed: { icon: "cross", text: "Failed" },
  timed_out: { icon: "clock", text: "Timed out" },
  killed: { icon: "stop", text: "Killed" },
  lost: { icon: "question", text: "Lost" },
};

export const statusText = (status: Status): string => LOOKS[status].text;

export function StatusBadge({ status }: { status: Status }) {
  const { icon, text } = LOOKS[status];
  return (
    <span className={`badge badge-${status}`}>
      <Icon name={icon} />
      {text}
    </span>
  );
}
