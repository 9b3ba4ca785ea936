import { Children, isValidElement, type ReactNode } from "react";

/** Names and values. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="facts">{Children.toArray(children).filter(isValidElement)}</dl>;
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
