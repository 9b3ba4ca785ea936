import type { Grants } from "../api/types";
import { grantTexts } from "./rights";

/** Roles and where they hold, in short. */
export function GrantList({ grants }: { grants: Grants }) {
  const texts = grantTexts(grants);
  if (texts.length === 0) return <span className="muted">none</span>;
  return (
    <ul className="grants">
      {texts.map((text) => (
        <li key={text}>{text}</li>
      ))}
    </ul>
  );
}
