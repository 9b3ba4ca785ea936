/** Keeps people from losing what they typed: a page that holds something unsaved is asked before the address changes. */

import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { AroundNavHandler } from "wouter";

type Go = () => void;

let guard: ((go: Go) => void) | null = null; // of the page that is open
const listeners = new Set<() => void>();

function setGuard(next: typeof guard): void {
  guard = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether the page that is open holds something that is not saved. */
export const useUnsaved = (): boolean => useSyncExternalStore(subscribe, () => guard !== null);

/** Do what leaves the page, after asking if need be. */
export function leaving(go: Go): void {
  if (guard) guard(go);
  else go();
}

/** For the router: every link and shortcut goes through here. */
export const aroundNav: AroundNavHandler = (navigate, to, options) => leaving(() => navigate(to, options));

/** What there is of the Navigation API where a browser knows it; TypeScript does not yet. */
interface Traversal extends Event {
  readonly navigationType: string;
  readonly destination: { readonly key: string };
}

interface Traversable extends EventTarget {
  traverseTo(key: string): unknown;
}

/** The browser's own Back and Forward ask too, where it lets itself be asked. Returns what ends it. */
function guardBack(): () => void {
  const { navigation } = window as { navigation?: Traversable };
  const going = (event: Event): void => {
    const { navigationType, destination } = event as Traversal;
    if (navigationType !== "traverse" || !event.cancelable || !guard) return;
    event.preventDefault();
    guard(() => navigation?.traverseTo(destination.key));
  };
  navigation?.addEventListener("navigate", going);
  return () => navigation?.removeEventListener("navigate", going);
}

interface Leaving {
  isAsked: boolean; // somebody wants to leave
  leave(): void;
  stay(): void;
  pass(go: Go): void; // leave without being asked, when all is saved
}

/** Asks before the page is left while `isUnsaved`; the browser asks itself before it is closed or loaded anew. */
export function useLeaving(isUnsaved: boolean): Leaving {
  const [asked, ask] = useState<{ go: Go } | null>(null);
  useEffect(() => {
    if (!isUnsaved) return;
    const closing = (event: BeforeUnloadEvent): void => event.preventDefault();
    setGuard((go) => ask({ go }));
    const endBack = guardBack();
    window.addEventListener("beforeunload", closing);
    return () => {
      setGuard(null);
      endBack();
      window.removeEventListener("beforeunload", closing);
    };
  }, [isUnsaved]);

  const pass = useCallback((go: Go) => {
    setGuard(null);
    go();
  }, []);
  return { isAsked: asked !== null, leave: () => asked && pass(asked.go), stay: () => ask(null), pass };
}
