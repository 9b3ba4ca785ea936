import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import "./audit.css";

const PARTS = [
  { path: "/audit", label: "Events" },
  { path: "/audit/then", label: "The crontab then" },
  { path: "/audit/ledger", label: "Tick ledger" },
  { path: "/audit/proof", label: "Proof" },
] as const;

/** The head of the four pages of the audit: which one this is, and the way to the others. */
export function AuditHead({ children }: { children?: ReactNode }) {
  const [path] = useLocation();
  return (
    <>
      <div className="page-head">
        <h1>Audit</h1>
        {children}
      </div>
      <nav className="audit-parts" aria-label="Audit">
        {PARTS.map((part) => (
          <Link key={part.path} href={part.path} {...(part.path === path ? { "aria-current": "page" } : {})}>
            {part.label}
          </Link>
        ))}
      </nav>
    </>
  );
}
