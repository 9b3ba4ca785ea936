/**
 * Terminal escape sequences and control characters, taken out of output so that text is only text.
 *
 * Of all that a terminal understands, colours and the like are kept, as styles beside the text; they hold until
 * the program says otherwise, over chunks and lines.
 */

import { type Style, styleAfter } from "./styles";

const ESC = "\x1b";
const LONGEST_ESCAPE = 4096; // an unfinished one that is longer was never one

// CSI (colours, cursor), OSC and other strings up to BEL or ST, character sets, and two-character escapes.
const COMPLETE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/g;
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/;
const RENDITION = /^\x1b\[([\d;:]*)m$/;

// Control characters but for tab, newline and carriage return, and those that reorder text.
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]/g;

export interface Piece {
  readonly text: string;
  readonly style: Style | null; // null: plain
}

/** Reads one stream. An escape cut in two by a chunk's end is held back until the rest of it comes. */
export class EscapeReader {
  #held = "";
  #style: Style | null = null;

  read(text: string): Piece[] {
    let rest = this.#held + text;
    this.#held = "";
    if (!rest.includes(ESC)) return this.#piece(rest);
    const pieces: Piece[] = [];
    let end = 0;
    for (const escape of rest.matchAll(COMPLETE)) {
      pieces.push(...this.#piece(rest.slice(end, escape.index)));
      const rendition = RENDITION.exec(escape[0]);
      if (rendition) this.#style = styleAfter(this.#style, rendition[1] ?? "");
      end = escape.index + escape[0].length;
    }
    rest = rest.slice(end);
    const cut = UNFINISHED.exec(rest);
    this.#held = cut && cut[0].length <= LONGEST_ESCAPE ? cut[0] : "";
    if (this.#held) rest = rest.slice(0, rest.length - this.#held.length);
    return [...pieces, ...this.#piece(rest)];
  }

  /** What was held back, when nothing more will come. */
  flush(): Piece[] {
    const held = this.#held;
    this.#held = "";
    return this.#piece(held);
  }

  #piece(text: string): Piece[] {
    return text === "" ? [] : [{ text: visible(text), style: this.#style }];
  }
}

function visible(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    if (character === ESC) return "␛";
    if (code < 0x20) return String.fromCharCode(0x2400 + code); // the control's picture
    return code === 0x7f ? "␡" : "�";
  });
}
