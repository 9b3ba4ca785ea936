/** How a terminal writes text: what "select graphic rendition" (ECMA-48, 8.3.117) says, and its usual extensions. */

/** A number is one of the sixteen named colours (0 to 15); text is `#rrggbb`. */
export type Colour = number | string;

export interface Style {
  readonly fg?: Colour;
  readonly bg?: Colour;
  readonly bold?: true;
  readonly dim?: true;
  readonly italic?: true;
  readonly underline?: true;
  readonly inverse?: true;
  readonly strike?: true;
}

const ON: Readonly<Record<number, keyof Style>> = {
  1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike",
};
const OFF: Readonly<Record<number, readonly (keyof Style)[]>> = {
  21: ["bold"], 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"], 39: ["fg"], 49: ["bg"],
};
const EXTENDED: Readonly<Record<number, "fg" | "bg">> = { 38: "fg", 48: "bg" };
const CUBE = [0, 95, 135, 175, 215, 255];

/** Return the style after a sequence with these parameters, such as `1;31`; null: plain. What is not known is ignored. */
export function styleAfter(before: Style | null, parameters: string): Style | null {
  const codes = parameters.split(/[;:]/).map((code) => (code === "" ? 0 : Number(code)));
  let style: Record<string, unknown> = { ...before };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    const extended = EXTENDED[code];
    if (code === 0) style = {};
    else if (ON[code]) style[ON[code]] = true;
    else if (OFF[code]) for (const name of OFF[code]) delete style[name];
    else if (extended) at += readExtended(codes, at, (colour) => (style[extended] = colour));
    else if (named(code, 30, 90) !== null) style["fg"] = named(code, 30, 90);
    else if (named(code, 40, 100) !== null) style["bg"] = named(code, 40, 100);
  }
  return Object.keys(style).length > 0 ? (style as Style) : null;
}

function named(code: number, normal: number, bright: number): number | null {
  if (code >= normal && code < normal + 8) return code - normal;
  return code >= bright && code < bright + 8 ? code - bright + 8 : null;
}

/** Read `5;n` or `2;r;g;b` after the code at `at`; return how many codes that were. */
function readExtended(codes: readonly number[], at: number, found: (colour: Colour) => void): number {
  if (codes[at + 1] === 5) {
    const colour = paletteColour(codes[at + 2] ?? -1);
    if (colour !== null) found(colour);
    return 2;
  }
  if (codes[at + 1] !== 2) return 0;
  const rgb = codes.slice(at + 2, at + 5);
  if (rgb.length === 3 && rgb.every((part) => part <= 255)) found(hex(rgb));
  return 4;
}

/** One of the 256 colours that terminals agree on. */
function paletteColour(n: number): Colour | null {
  if (!(n >= 0 && n <= 255)) return null;
  if (n < 16) return n;
  if (n >= 232) return hex([8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10]);
  const at = n - 16;
  return hex([Math.floor(at / 36), Math.floor(at / 6) % 6, at % 6].map((step) => CUBE[step] ?? 0));
}

const hex = (rgb: readonly number[]): string => `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
