/**
 * Knows who is logged in, and keeps what is shown to the two services fresh.
 *
 * It asks for the session before anything else is asked. The log-ingester knows no sessions: it wants a short-lived
 * cookie, which the master gives; that is renewed well before it ends, and at once after a sleep of the computer. When
 * the session is over nothing is asked any more but, now and then, whether somebody has logged in again.
 */

import { RefusedError, type Credentials } from "../api/client";
import type { AccessToken, Session } from "../api/types";

const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const LOOK_MS = 10_000;
const OLD_MS = 60_000; // what is known of the roles, when the page is looked at again
const RENEWED_AT = 0.7; // of an access token's life
const LONGEST_MS = 8 * 60_000; // the browser's clock may be wrong; a token's life is ten minutes
const SHORTEST_MS = 10_000;

export type SessionState =
  | { kind: "asking"; error: Error | null } // nobody has answered yet; `error`: why not
  | { kind: "open"; session: Session }
  | { kind: "over"; last: Session | null };

/** What the keeper asks of the master. */
export interface SessionSource {
  session(): Promise<Session>;
  access(csrf: string): Promise<AccessToken>;
}

export class SessionKeeper {
  readonly #source: SessionSource;
  readonly #replaced: () => void;
  readonly #listeners = new Set<() => void>();
  #state: SessionState = { kind: "asking", error: null };
  #asking: Promise<void> | null = null;
  #askedAt = 0;
  #renewing: Promise<boolean> | null = null;
  #renewals = 0;
  #accessDueAt = 0;

  /** `replaced` is called when somebody else has logged in: what is shown is not theirs. */
  constructor(source: SessionSource, replaced: () => void) {
    this.#source = source;
    this.#replaced = replaced;
  }

  readonly state = (): SessionState => this.#state;

  /** Hear of every change. Returns what ends it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Ask, and look after it from now on. Returns what ends that. */
  start(): () => void {
    const look = (): void => void this.look();
    const timer = setInterval(look, LOOK_MS);
    const events = ["online", "focus", "pageshow"] as const;
    for (const event of events) window.addEventListener(event, look);
    document.addEventListener("visibilitychange", look);
    look();
    return () => {
      clearInterval(timer);
      for (const event of events) window.removeEventListener(event, look);
      document.removeEventListener("visibilitychange", look);
    };
  }

  /** Do what is due by the clock on the wall: timers stand still while a computer sleeps. */
  async look(): Promise<void> {
    if (document.visibilityState === "hidden") return;
    const { kind } = this.#state;
    if (kind !== "open" || Date.now() - this.#askedAt > OLD_MS) await this.refresh();
    if (this.#state.kind === "open" && Date.now() >= this.#accessDueAt) await this.renew();
  }

  /** The session, once it is known. Throws if there is none. */
  async session(): Promise<Session> {
    if (this.#state.kind === "asking") await this.refresh();
    if (this.#state.kind === "open") return this.#state.session;
    if (this.#state.kind === "over") throw notLoggedIn();
    throw this.#state.error ?? notLoggedIn();
  }

  /** Ask again who is logged in. What cannot be asked leaves things as they are. */
  refresh(): Promise<void> {
    this.#asking ??= this.#refresh().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #refresh(): Promise<void> {
    try {
      this.#take(await this.#source.session());
    } catch (error) {
      if (error instanceof RefusedError && error.status === UNAUTHORIZED) this.end();
      else if (this.#state.kind === "asking") this.#set({ kind: "asking", error: error as Error });
    }
  }

  #take(session: Session): void {
    const before = this.#state;
    const known = before.kind === "open" ? before.session : before.kind === "over" ? before.last : null;
    this.#askedAt = Date.now();
    if (known && known.user !== session.user) return this.#replaced();
    // Another session, or other roles: the cookie says what was before.
    if (known?.csrf !== session.csrf || JSON.stringify(known.grants) !== JSON.stringify(session.grants)) this.doubt();
    this.#set({ kind: "open", session });
  }

  /** The master says that nobody is logged in. */
  end(): void {
    if (this.#state.kind === "over") return;
    this.#accessDueAt = 0;
    this.#set({ kind: "over", last: this.#state.kind === "open" ? this.#state.session : null });
  }

  /** The cookie for the log-ingester is there, as far as can be known. Throws if nobody is logged in. */
  async access(): Promise<void> {
    await this.session();
    if (Date.now() >= this.#accessDueAt) await this.renew();
  }

  /** The log-ingester does not take the cookie any more. */
  doubt(): void {
    this.#accessDueAt = 0;
  }

  /** Have the master give the cookie for the log-ingester anew; tells whether it did. */
  renew(): Promise<boolean> {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renew(): Promise<boolean> {
    try {
      const { expires_at } = await this.#granted();
      const life = (Date.parse(expires_at) - Date.now()) * RENEWED_AT;
      this.#accessDueAt = Date.now() + Math.min(LONGEST_MS, Math.max(SHORTEST_MS, life));
      this.#renewals++;
      return true;
    } catch (error) {
      if (error instanceof RefusedError && error.status === UNAUTHORIZED) this.end();
      else this.#accessDueAt = Date.now() + SHORTEST_MS; // the one that is there may still do
      return false;
    }
  }

  async #granted(): Promise<AccessToken> {
    const { csrf } = await this.session();
    try {
      return await this.#source.access(csrf);
    } catch (error) {
      if (!(error instanceof RefusedError && error.status === FORBIDDEN) || !(await this.#isOther(csrf))) throw error;
      return this.#source.access((await this.session()).csrf);
    }
  }

  /** Whether there is another session than the one that `csrf` belongs to: somebody logged in again elsewhere. */
  async #isOther(csrf: string): Promise<boolean> {
    await this.refresh();
    return this.#state.kind === "open" && this.#state.session.csrf !== csrf;
  }

  /** What goes with a request to the master: by the session's cookie. */
  readonly atMaster: Credentials = async (changes) => {
    const { csrf } = await this.session();
    return {
      headers: headersOf(changes, csrf),
      renewed: async (status) => {
        if (status === UNAUTHORIZED) this.end();
        return status === FORBIDDEN && (await this.#isOther(csrf)) && changes;
      },
    };
  };

  /** What goes with a request to the log-ingester: by the cookie that is renewed. */
  readonly atIngester: Credentials = async (changes) => {
    await this.access();
    const { csrf } = await this.session();
    const renewals = this.#renewals;
    return {
      headers: headersOf(changes, csrf),
      renewed: async (status) => {
        if (status === UNAUTHORIZED) return this.#renewals > renewals || this.renew();
        return (await this.#isOther(csrf)) && this.renew();
      },
    };
  };

  #set(state: SessionState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

const headersOf = (changes: boolean, csrf: string): Record<string, string> => (changes ? { "X-CSRF-Token": csrf } : {});

const notLoggedIn = (): RefusedError =>
  new RefusedError({ title: "not logged in", status: UNAUTHORIZED, detail: "the session is over; log in again" });
