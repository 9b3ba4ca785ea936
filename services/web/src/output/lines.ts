/** Chunks of output become lines: partial lines are joined, carriage returns rewrite their line. */

import type { Chunk, Stream } from "../api/types";
import { EscapeReader, type Piece } from "./escapes";
import type { Style } from "./styles";

export const MAX_LINES = 1_000_000;
export const MAX_LINE_LENGTH = 4_000;
export const MAX_CHARACTERS = 64_000_000; // of all lines together: reached only by many very long ones
const STREAMS = ["stdout", "stderr"] as const;

/** From `start` on, up to the next span, the text has this style. */
export interface Span {
  readonly start: number;
  readonly style: Style | null;
}

export interface Line {
  readonly number: number; // 1 for the run's first line
  readonly stream: Stream;
  readonly at: string; // when its first piece was read
  readonly text: string; // at most MAX_LINE_LENGTH
  readonly cut: number; // characters beyond that, not shown
  readonly spans: readonly Span[] | null; // null: plain all through
}

interface Open {
  line: Line | null; // the line that is being written, if it has begun
  returned: boolean; // the last character was a carriage return: the next one decides what it meant
  readonly escapes: EscapeReader;
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
  #changed = 0;
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

  /** The number of the first line that may be other than when this was asked last. */
  takeChanged(): number {
    const changed = this.#changed;
    this.#changed = this.#count + 1;
    return changed;
  }

  append(chunk: Chunk): void {
    for (const piece of this.#open[chunk.stream].escapes.read(chunk.text)) this.#write(chunk.stream, chunk.at, piece);
    this.#trim();
  }

  /** Nothing more will come: show what was held back. */
  end(at: string): void {
    for (const stream of STREAMS) {
      for (const piece of this.#open[stream].escapes.flush()) this.#write(stream, at, piece);
    }
    this.#trim();
  }

  #write(stream: Stream, at: string, { text, style }: Piece): void {
    const open = this.#open[stream];
    for (const piece of text.split(/(\r|\n)/)) {
      if (piece === "") continue;
      if (piece === "\n") {
        if (!open.line) this.#set(open, stream, at, null, "", null); // an empty line
        open.line = null;
        open.returned = false;
      } else if (piece === "\r") {
        open.returned = true;
      } else {
        const before = open.returned ? null : open.line;
        open.returned = false;
        this.#set(open, stream, at, before, piece, style);
      }
    }
  }

  #set(open: Open, stream: Stream, at: string, before: Line | null, more: string, style: Style | null): void {
    const shown = joined(before, more);
    const line: Line = {
      number: open.line?.number ?? ++this.#count,
      stream,
      at: open.line?.at ?? at,
      text: shown,
      cut: (before?.cut ?? 0) + (before?.text.length ?? 0) + more.length - shown.length,
      spans: spansAfter(before, style),
    };
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
    this.#changed = Math.min(this.#changed, line.number);
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
    this.#changed = 0;
  }
}

/** The text of a line with more of it, as far as it is shown. */
function joined(before: Line | null, more: string): string {
  if (before && before.cut > 0) return before.text;
  const text = (before?.text ?? "") + more;
  if (text.length <= MAX_LINE_LENGTH) return text;
  return text.slice(0, MAX_LINE_LENGTH).split("").join(""); // a copy: a mere slice would keep the whole text alive
}

function spansAfter(before: Line | null, style: Style | null): readonly Span[] | null {
  const start = before?.text.length ?? 0;
  const spans = before?.spans ?? null;
  const last = spans === null ? null : (spans.at(-1)?.style ?? null);
  if (last === style || start >= MAX_LINE_LENGTH) return spans;
  return [...(spans ?? (start > 0 ? [{ start: 0, style: null }] : [])), { start, style }];
}

function opened(): Open {
  return { line: null, returned: false, escapes: new EscapeReader() };
}
