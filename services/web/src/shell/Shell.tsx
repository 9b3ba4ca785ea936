import { type ReactNode, useState } from "react";
import { Link, useLocation } from "wouter";
import { Icon, Logo } from "../components/icons";
import { routes } from "../routes";
import "./shell.css";
import { ConnectionSign, LostBanner } from "./ConnectionSign";
import { SessionBanner } from "../session/SessionBanner";
import { ShortcutHelp } from "./ShortcutHelp";
import { ThemeSwitch } from "./ThemeSwitch";
import { UserMenu } from "./UserMenu";
import { useShortcuts } from "./useShortcuts";

/** The frame of every page: where one can go, whether the page is live, light or dark. */
export function Shell({ children }: { children: ReactNode }) {
  const [help, setHelp] = useState(false);
  useShortcuts(() => setHelp((shown) => !shown));
  return (
    <>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <header className="masthead">
        <div className="masthead-inner">
          <Link href="/" className="brand" aria-label="dcron">
            <Logo />
            <span>dcron</span>
          </Link>
          <Navigation />
          <div className="masthead-tools">
            <ConnectionSign />
            <button type="button" className="tool" aria-label="Keyboard shortcuts" onClick={() => setHelp(true)}>
              <Icon name="question" />
            </button>
            <ThemeSwitch />
            <UserMenu />
          </div>
        </div>
      </header>
      <SessionBanner />
      <LostBanner />
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <ShortcutHelp opened={help} close={() => setHelp(false)} />
    </>
  );
}

function Navigation() {
  const [location] = useLocation();
  return (
    <nav aria-label="Main" className="navigation">
      {routes.map(
        ({ path, nav }) =>
          nav && (
            <Link
              key={path}
              href={path}
              className="tab"
              aria-current={isWithin(location, path) ? "page" : undefined}
              title={`${nav.label} (g ${nav.key})`}
            >
              <Icon name={nav.icon} />
              <span>{nav.label}</span>
            </Link>
          ),
      )}
    </nav>
  );
}

function isWithin(location: string, path: string): boolean {
  return path === "/" ? location === "/" : location === path || location.startsWith(`${path}/`);
}
