/** A draft as YAML 1.2 text and back, with the lines of what is wrong. */

import { isMap, isScalar, isSeq, LineCounter, parseDocument, stringify } from "yaml";
import { type Draft, isObject, tidied } from "./draft";

export type Reading = { draft: Draft } | { line: number; message: string };

export const textOf = (draft: Draft): string =>
  Object.keys(draft).length === 0 ? "" : stringify(tidied(draft), { lineWidth: 0 });

/** The draft that a text says, or the first thing that keeps it from being read. */
export function read(text: string): Reading {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    const message = error.code === "MULTIPLE_DOCS" ? "a second document begins; here it is one job" : error.message;
    return { line: counter.linePos(error.pos[0]).line, message };
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (thrown) {
    return { line: 1, message: (thrown as Error).message };
  }
  if (value === null || value === undefined) return { draft: {} };
  return isObject(value) ? { draft: value } : { line: 1, message: "not fields such as name and run" };
}

/** The line on which the field stands, such as `env.PATH` or `exclude[1]`, or the nearest part around it. */
export function lineOf(text: string, field: string): number | undefined {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  let node: unknown = document.contents;
  let at: number | undefined;
  let left = field.replaceAll(/\[(\d+)\]/g, ".$1");
  while (left !== "") {
    const step = stepInto(node, left);
    if (!step) break;
    at = step.at;
    node = step.node;
    left = step.left;
  }
  return at === undefined ? undefined : counter.linePos(at).line;
}

interface Step {
  node: unknown;
  at: number;
  left: string;
}

/** One level down towards the field; a name may have dots of its own. */
function stepInto(node: unknown, field: string): Step | undefined {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key) || !key.range) continue;
      const name = String(key.value);
      if (field === name || field.startsWith(`${name}.`)) {
        return { node: value, at: key.range[0], left: field.slice(name.length + 1) };
      }
    }
  }
  if (isSeq(node)) {
    const [index = "", ...rest] = field.split(".");
    const item = node.items[Number(index)] as { range?: [number, number, number] | null } | undefined;
    if (item?.range) return { node: item, at: item.range[0], left: rest.join(".") };
  }
  return undefined;
}
