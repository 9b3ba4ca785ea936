import { Menu } from "@mantine/core";
import { Link } from "wouter";
import { logOut } from "../api/session";
import { Icon } from "../components/icons";
import { leaving } from "../components/leaving";
import { useNotices } from "../components/notices";
import { routes } from "../routes";
import { grantTexts, holdsSomewhere } from "../session/rights";
import { useSession } from "../session/useSession";

const MOST_GRANTS = 4;

/** Who is logged in, with what roles, what there is for them, and the way out. */
export function UserMenu() {
  const session = useSession();
  const notices = useNotices();
  if (session.user === "") return null;
  const name = session.display_name || session.user;
  const out = (): void => leaving(() => void logOut().catch(notices.failed));
  return (
    <Menu width={240}>
      <Menu.Target>
        <button type="button" className="tool user-menu" aria-label={`You are ${name}`}>
          <Icon name="person" />
          <span className="user-name">{name}</span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <div className="user-card">
          <strong>{name}</strong>
          {name !== session.user && <span className="detail">{session.user}</span>}
          <Roles texts={grantTexts(session.grants)} />
        </div>
        <Menu.Divider />
        {routes.map(
          ({ path, menu, needs }) =>
            menu &&
            (!needs || holdsSomewhere(session.grants, needs)) && (
              <Menu.Item key={path} component={Link} href={path} leftSection={<Icon name={menu.icon} />}>
                {menu.label}
              </Menu.Item>
            ),
        )}
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="leave" />} onClick={out}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Roles({ texts }: { texts: string[] }) {
  const more = texts.length - MOST_GRANTS;
  return (
    <span className="detail">
      {texts.length === 0 ? "no role yet" : texts.slice(0, MOST_GRANTS).join(", ")}
      {more > 0 && ` and ${more} more`}
    </span>
  );
}
