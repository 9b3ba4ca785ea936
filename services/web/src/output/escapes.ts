/** Terminal escape sequences and control characters, taken out of output so that text is only text. */

const ESC = "\x1b";
const LONGEST_ESCAPE = 4096; // an unfinished one that is longer was never one

// CSI (colours, cursor), OSC and other strings up to BEL or ST, character sets, and two-character escapes.
const COMPLETE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/g;
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/;

// Control characters but for tab, newline and carriage return, and those that reorder text.
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** Cleans one stream. An escape cut in two by a chunk's end is held back until the rest of it comes. */
export class EscapeFilter {
  #held = "";

  clean(text: string): string {
    let rest = (this.#held + text).replace(COMPLETE, "");
    const cut = UNFINISHED.exec(rest);
    this.#held = cut && cut[0].length <= LONGEST_ESCAPE ? cut[0] : "";
    if (this.#held) rest = rest.slice(0, rest.length - this.#held.length);
    return visible(rest);
  }

  /** What was held back, when nothing more will come. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return visible(held);
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
