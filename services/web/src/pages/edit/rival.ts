/** Two edits that began at the same version: what each changed, and the definition that comes of a choice between them. */

import { type Difference, differenceOf } from "./difference";
import { type Draft, placed, same, tidied, written } from "./draft";

export type Side = "mine" | "theirs";

export interface Rivalry extends Difference {
  // `before` is theirs, `after` is mine
  changedBy: Side | "both";
}

export type Choices = Readonly<Record<string, Side | undefined>>; // by field

/** The fields in which `mine` and `theirs` differ, each with who changed it since `base`. */
export function rivalries(base: Draft, theirs: Draft, mine: Draft): Rivalry[] {
  const tidyBase = tidied(base);
  return differenceOf(theirs, mine).map((difference) => {
    const was = written(tidyBase, difference.path);
    const isMine = !same(written(tidied(mine), difference.path), was);
    const isTheirs = !same(written(tidied(theirs), difference.path), was);
    return { ...difference, changedBy: isMine && isTheirs ? "both" : isMine ? "mine" : "theirs" };
  });
}

/** What only one of the two changed is taken from that one; what both did stays open. */
export function firstChoices(rows: readonly Rivalry[]): Choices {
  return Object.fromEntries(rows.flatMap(({ field, changedBy }) => (changedBy === "both" ? [] : [[field, changedBy]])));
}

export const allOf = (rows: readonly Rivalry[], side: Side): Choices =>
  Object.fromEntries(rows.map(({ field }) => [field, side]));

export const isDecided = (rows: readonly Rivalry[], choices: Choices): boolean =>
  rows.every(({ field }) => choices[field] !== undefined);

/** Theirs, with what was chosen of mine. */
export function chosen(rows: readonly Rivalry[], choices: Choices, theirs: Draft, mine: Draft): Draft {
  const tidyMine = tidied(mine);
  return rows.reduce(
    (draft, { field, path }) => (choices[field] === "mine" ? placed(draft, path, written(tidyMine, path)) : draft),
    tidied(theirs),
  );
}
