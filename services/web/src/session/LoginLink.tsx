import type { ReactNode } from "react";
import { useLocation } from "wouter";
import { useUnsaved } from "../components/leaving";

/** The way to the login page and back to here. What is not saved stays in this window: then another one is opened. */
export function LoginLink({ children }: { children: ReactNode }) {
  useLocation(); // the way back follows the address
  const unsaved = useUnsaved();
  return (
    <a href={loginPath(window.location)} className="login-link" {...(unsaved ? { target: "_blank", rel: "noopener" } : {})}>
      {children}
    </a>
  );
}

/** `/login?next=…` for who is at this place. */
export function loginPath({ pathname, search }: Pick<Location, "pathname" | "search">): string {
  return `/login?next=${encodeURIComponent(pathname + search)}`;
}
