import { Kbd, Modal } from "@mantine/core";
import { routes } from "../routes";
import { holdsSomewhere } from "../session/rights";
import { useSession } from "../session/useSession";

const EVERYWHERE = [
  { keys: ["/"], does: "Search on this page" },
  { keys: ["?"], does: "Show these keys" },
  { keys: ["Esc"], does: "Close what is open" },
];

/** The keys, in a dialog. */
export function ShortcutHelp({ opened, close }: { opened: boolean; close(): void }) {
  const { grants } = useSession();
  const pages = routes.flatMap(({ nav, menu = nav, needs }) =>
    menu && (!needs || holdsSomewhere(grants, needs)) ? [{ keys: ["g", menu.key], does: `Go to ${menu.label}` }] : [],
  );
  return (
    <Modal opened={opened} onClose={close} title="Keyboard shortcuts" size="sm">
      <dl className="shortcuts">
        {[...EVERYWHERE, ...pages].map(({ keys, does }) => (
          <div key={does}>
            <dt>{does}</dt>
            <dd>
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
