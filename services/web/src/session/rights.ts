/** Who may do what, as the services judge it: a higher role includes the lower ones, `*` stands for every namespace. */

import type { Grants, Role } from "../api/types";

export const ROLES: readonly Role[] = ["viewer", "operator", "editor", "admin"]; // each includes those before it
export const EVERYWHERE = "*";

/** The highest role in a namespace; in `*`, the one for what belongs to no namespace. */
export function roleIn(grants: Grants, namespace: string): Role | null {
  const held = [namespace, EVERYWHERE].flatMap((each) => (Object.hasOwn(grants, each) ? [grants[each]!] : []));
  return held.reduce<Role | null>((best, role) => (rank(role) > rank(best) ? role : best), null);
}

export const holds = (grants: Grants, role: Role, namespace: string = EVERYWHERE): boolean =>
  rank(roleIn(grants, namespace)) >= rank(role);

/** The namespaces in which the role is held, by name; null: in all there are. */
export function namespacesWith(grants: Grants, role: Role): string[] | null {
  if (holds(grants, role)) return null;
  return Object.keys(grants).filter((each) => holds(grants, role, each)).sort();
}

/** Those of the namespaces in which the role is not held. */
export const lackingIn = (grants: Grants, role: Role, namespaces: Iterable<string>): string[] =>
  [...new Set(namespaces)].filter((each) => !holds(grants, role, each)).sort();

/** Whether the role is held anywhere. */
export const holdsSomewhere = (grants: Grants, role: Role): boolean => namespacesWith(grants, role)?.length !== 0;

const rank = (role: Role | null): number => (role === null ? -1 : ROLES.indexOf(role));

/** What is missing, in words. */
export function missingText(role: Role, namespace: string = EVERYWHERE): string {
  const where = namespace === EVERYWHERE ? "for the whole system" : `in the namespace ${namespace}`;
  return `This needs the role ${role} ${where}. An admin can grant it.`;
}

/** The namespace that a definition says, or leaves at its default. */
export const namespaceOf = ({ namespace = "default" }: { namespace?: string }): string => namespace;

/** `admin everywhere`, `editor in billing`. */
export function grantTexts(grants: Grants): string[] {
  return Object.entries(grants)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([namespace, role]) => (namespace === EVERYWHERE ? `${role} everywhere` : `${role} in ${namespace}`));
}
