/** Chunks of output become lines: partial lines are joined, carriage returns rewrite their line. */

import type { Chunk, Stream } from "../api/types";
import { EscapeFilter } from "./escapes";

export const MAX_LINES = 20_000;
export const MAX_LINE_LENGTH = 4_000;
export const MAX_CHARACTERS = 8_000_000; // of all lines together: reached only by many very long ones

export interface Line {
  readonly number: number; // 1 for the run's first line
  readonly stream: Stream;
  readonly at: string; // when its first piece was read
  readonly text: string; // at most MAX_LINE_LENGTH
  readonly cut: number; // characters beyond that, not shown
}

interface Open {
  line: Line | null; // the line that is being written, if it has begun
  returned: boolean; // the last character was a carriage return: the next one decides what it meant
  readonly escapes: EscapeFilter;
}

/**
 * The last lines of a run, oldest first: about `maxLines` and MAX_CHARACTERS, at most a tenth more.
 *
 * A line stands where it began, so that a piece of stderr between two pieces of a stdout line does not tear it.
 */
export class LineBuffer {
  readonly #maxLines: number;
  #lines: Line[] = [];
  #count = 0; // lines that ever were
  #characters = 0; // of the lines that are kept
  #longest = 0;
  readonly #open: Record<Stream, Open> = { stdout: opened(), stderr: opened() };

  constructor(maxLines = MAX_LINES) {
    this.#maxLines = maxLines;
  }

  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** How many lines from the beginning are not kept. */
  get dropped(): number {
    return this.#count - this.#lines.length;
  }

  /** Length of the longest line that was ever shown. */
  get longest(): number {
    return this.#longest;
  }

  append(chunk: Chunk): void {
    this.#write(chunk.stream, chunk.at, this.#open[chunk.stream].escapes.clean(chunk.text));
    this.#trim();
  }

  /** Nothing more will come: show what was held back. */
  end(at: string): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const held = this.#open[stream].escapes.flush();
      if (held) this.#write(stream, at, held);
    }
    this.#trim();
  }

  #write(stream: Stream, at: string, text: string): void {
    const open = this.#open[stream];
    for (const piece of text.split(/(\r|\n)/)) {
      if (piece === "") continue;
      if (piece === "\n") {
        if (!open.line) this.#set(open, stream, at, "", 0); // an empty line
        open.line = null;
        open.returned = false;
      } else if (piece === "\r") {
        open.returned = true;
      } else {
        const before = open.returned ? null : open.line;
        open.returned = false;
        this.#set(open, stream, at, (before?.text ?? "") + piece, before?.cut ?? 0);
      }
    }
  }

  #set(open: Open, stream: Stream, at: string, text: string, cutBefore: number): void {
    const shown = text.slice(0, MAX_LINE_LENGTH);
    const cut = cutBefore + text.length - shown.length;
    const line: Line = { number: open.line?.number ?? ++this.#count, stream, at: open.line?.at ?? at, text: shown, cut };
    if (open.line) {
      const index = line.number - 1 - (this.#count - this.#lines.length);
      if (index >= 0) {
        this.#lines[index] = line;
        this.#characters += shown.length - open.line.text.length;
      } // else: scrolled out while it was being written
    } else {
      this.#lines.push(line);
      this.#characters += shown.length;
    }
    open.line = line;
    this.#longest = Math.max(this.#longest, shown.length);
  }

  /** Drop the oldest lines; seldom, since it copies. */
  #trim(): void {
    if (this.#lines.length <= this.#maxLines * 1.1 && this.#characters <= MAX_CHARACTERS * 1.1) return;
    let first = Math.max(0, this.#lines.length - this.#maxLines);
    let left = this.#characters;
    for (let index = 0; index < first; index++) left -= this.#lines[index]!.text.length;
    while (left > MAX_CHARACTERS && first < this.#lines.length - 1) left -= this.#lines[first++]!.text.length;
    this.#lines = this.#lines.slice(first);
    this.#characters = left;
  }
}

function opened(): Open {
  return { line: null, returned: false, escapes: new EscapeFilter() };
}
