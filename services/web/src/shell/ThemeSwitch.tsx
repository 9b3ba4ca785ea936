import { type MantineColorScheme, useMantineColorScheme } from "@mantine/core";
import { Icon, type IconName } from "../components/icons";

const NEXT: Record<MantineColorScheme, MantineColorScheme> = { auto: "light", light: "dark", dark: "auto" };
const ICONS: Record<MantineColorScheme, IconName> = { auto: "auto", light: "sun", dark: "moon" };
const NAMES: Record<MantineColorScheme, string> = { auto: "as the system", light: "light", dark: "dark" };

/**
 * Goes from one theme to the next; the choice is kept in this browser. Transitions are kept, since Mantine stops
 * them with a style element that the page's policy refuses.
 */
export function ThemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const label = `Theme: ${NAMES[colorScheme]}`;
  return (
    <button
      type="button"
      className="tool"
      aria-label={label}
      title={`${label}; switch to ${NAMES[NEXT[colorScheme]]}`}
      onClick={() => setColorScheme(NEXT[colorScheme])}
    >
      <Icon name={ICONS[colorScheme]} />
    </button>
  );
}
