/** Which line of output stands in which row of the view, however many there are and however they are wrapped. */

import type { Stream } from "../api/types";
import type { Line } from "./lines";

const WIDE = /[\u1100-\u115f\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/gu;
const TAB = 8;

export interface RowOptions {
  readonly columns: number | null; // characters in a row; null: a line is one row, however long
  readonly stream: Stream | null; // null: both
}

/**
 * The lines that are shown and the rows they take: sums that are kept, so that a row is found by halving.
 *
 * How many rows a line takes is reckoned from its characters; where a font thinks otherwise the rows below are off
 * by that much until they are drawn.
 */
export class RowMap {
  readonly options: RowOptions;
  #count = 0; // lines shown
  #at = new Int32Array(1024); // shown line → its place in the buffer
  #ends = new Int32Array(1024); // shown line → rows up to its end

  constructor(options: RowOptions) {
    this.options = options;
  }

  get count(): number {
    return this.#count;
  }

  get rows(): number {
    return this.#count === 0 ? 0 : (this.#ends[this.#count - 1] ?? 0);
  }

  /** Take in what is new: `lines` is the whole buffer, and what is before `from` in it is as it was. */
  update(lines: readonly Line[], from: number): void {
    while (this.#count > 0 && (this.#at[this.#count - 1] ?? 0) >= from) this.#count -= 1;
    let rows = this.rows;
    for (let index = from; index < lines.length; index++) {
      const line = lines[index];
      if (!line || (this.options.stream !== null && line.stream !== this.options.stream)) continue;
      rows += this.#height(line);
      this.#push(index, rows);
    }
  }

  /** The shown line in that row; the last one for rows beyond the end. */
  shownAt(row: number): number {
    let low = 0;
    let high = Math.max(0, this.#count - 1);
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] ?? 0) > row) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The first row of a shown line. */
  rowOf(shown: number): number {
    return shown === 0 ? 0 : (this.#ends[shown - 1] ?? 0);
  }

  /** Where a shown line is in the buffer. */
  placeOf(shown: number): number {
    return this.#at[shown] ?? 0;
  }

  /** The shown line that is at that place of the buffer, or the first one after it. */
  shownOf(place: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#at[middle] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #height({ text, cut }: Line): number {
    const { columns } = this.options;
    return columns === null ? 1 : Math.max(1, Math.ceil((widthOf(text) + (cut > 0 ? 28 : 0)) / columns));
  }

  #push(place: number, rows: number): void {
    if (this.#count === this.#at.length) {
      this.#at = grown(this.#at);
      this.#ends = grown(this.#ends);
    }
    this.#at[this.#count] = place;
    this.#ends[this.#count] = rows;
    this.#count += 1;
  }
}

/** How many columns a text takes in a font of one width. */
function widthOf(text: string): number {
  let width = text.length;
  if (text.includes("\t")) {
    width = 0;
    for (const part of text.split("\t")) width = Math.ceil((width + part.length + 1) / TAB) * TAB;
  }
  return /[^\x00-\xff]/.test(text) ? width + (text.match(WIDE)?.length ?? 0) : width;
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
