import { useEffect } from "react";
import { useLocation } from "wouter";
import { routes } from "../routes";

const SEQUENCE_MS = 1_200; // `g` is forgotten after that

/** The keys that work everywhere: `/` searches, `g` and a letter go to a page, `?` shows them all. */
export function useShortcuts(toggleHelp: () => void): void {
  const [, navigate] = useLocation();
  useEffect(() => {
    let wentAt = -Infinity;
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const afterG = event.timeStamp - wentAt < SEQUENCE_MS;
      wentAt = -Infinity;
      if (event.key === "g") {
        wentAt = event.timeStamp;
      } else if (afterG) {
        const path = routes.find(({ nav, menu }) => (nav ?? menu)?.key === event.key)?.path;
        if (path) navigate(path);
      } else if (event.key === "?") {
        toggleHelp();
      } else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("[data-search]");
        if (!search) return;
        event.preventDefault();
        search.focus();
        search.select();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [navigate, toggleHelp]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
