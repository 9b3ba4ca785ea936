/** Keeps the chunks of a run in order, each once, whatever is sent again or left out. */
export class Sequence {
  #next = 0;

  /** The seq that is to come next: how much of the output is here. */
  get next(): number {
    return this.#next;
  }

  /**
   * Say what to do with chunk `seq`: `next` is to be shown and counts as shown from now on, `seen` was
   * shown before, `ahead` has others before it that are missing and must be fetched from `next` on.
   */
  offer(seq: number): "next" | "seen" | "ahead" {
    if (seq < this.#next) return "seen";
    if (seq > this.#next) return "ahead";
    this.#next += 1;
    return "next";
  }
}
