/** In which fields two definitions differ, told as the server tells it. */

import { type Draft, defaultOf, isObject, type Json, type Path, same, tidied } from "./draft";

export interface Difference {
  path: Path;
  field: string; // the path as the server writes it, such as schedule.cron or env.PATH
  before: Json | undefined; // with its default where there is one; undefined: absent
  after: Json | undefined;
}

const ONE_OF = ["run", "schedule"]; // of whose fields exactly one stands, so that they change as one

/** The fields that differ. Parts and entries of `env` are compared one by one, lists as wholes. */
export function differenceOf(before: Draft, after: Draft): Difference[] {
  return [...pairs([], tidied(before), tidied(after))];
}

function* pairs(path: Path, before: Json | undefined, after: Json | undefined): Generator<Difference> {
  if (same(before, after)) return;
  if (isDescended(path, before, after)) {
    const [one, other] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
    for (const name of new Set([...Object.keys(one), ...Object.keys(other)])) {
      yield* pairs([...path, name], ofName(one, name), ofName(other, name));
    }
    return;
  }
  yield { path, field: path.join("."), before: before ?? defaultOf(path), after: after ?? defaultOf(path) };
}

/** Whether the fields inside are told one by one, and not the whole. */
function isDescended(path: Path, before: Json | undefined, after: Json | undefined): boolean {
  const isPart = [before, after].every((value) => value === undefined || isObject(value));
  if (!isPart || path.length === 0 || !ONE_OF.includes(path.join("."))) return isPart;
  return isObject(before) && isObject(after) && same(Object.keys(before), Object.keys(after));
}

const ofName = (value: { [name: string]: Json }, name: string): Json | undefined =>
  Object.hasOwn(value, name) ? value[name] : undefined;
