/** Finds a text in very many lines, a slice of time at a time, so that the page stays responsive. */

import type { Line } from "./lines";

const SLICE_MS = 8;
const LOOK_AT_CLOCK = 2_000; // lines between two looks

export class LineSearch {
  readonly text: string; // as it was typed; case does not matter
  readonly matches: number[] = []; // places in the buffer, in order
  readonly #wanted: string;
  #scanned = 0;

  constructor(text: string) {
    this.text = text;
    this.#wanted = text.toLowerCase();
  }

  /** What is from that place on is not as it was. */
  changed(from: number): void {
    this.#scanned = Math.min(this.#scanned, from);
    while (this.matches.length > 0 && (this.matches.at(-1) ?? 0) >= from) this.matches.pop();
  }

  /** Go on for a slice of time; return whether there is more to look at. */
  step(lines: readonly Line[], now: () => number = () => performance.now()): boolean {
    const until = now() + SLICE_MS;
    while (this.#scanned < lines.length) {
      const end = Math.min(lines.length, this.#scanned + LOOK_AT_CLOCK);
      for (; this.#scanned < end; this.#scanned++) {
        if (lines[this.#scanned]?.text.toLowerCase().includes(this.#wanted)) this.matches.push(this.#scanned);
      }
      if (now() >= until) break;
    }
    return this.#scanned < lines.length;
  }

  /** The index of the first match at or after that place; the first of all beyond the last. */
  firstFrom(place: number): number {
    const index = this.matches.findIndex((match) => match >= place);
    return index < 0 ? 0 : index;
  }
}
