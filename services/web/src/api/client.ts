/** HTTP as both services speak it: JSON in, JSON or an RFC 9457 problem out. */

import type { Problem } from "./types";

const NO_CONTENT = 204;
const JSON_BODY = { "Content-Type": "application/json" };

/** The service refused; `problem` says why. */
export class RefusedError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ? `${problem.title}: ${problem.detail}` : problem.title);
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }
}

/** Nobody answered, or something that is not the service did. */
export class UnreachableError extends Error {
  readonly service: string;

  constructor(service: string) {
    super(`the ${service} does not answer`);
    this.service = service;
  }
}

export interface RequestOptions {
  signal?: AbortSignal;
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  headers?: Record<string, string>;
  body?: unknown; // sent as JSON
}

/** What goes along with a request of a session, and what a refusal of it makes of that. */
export interface Shown {
  headers: Record<string, string>;
  /** Called with a 401 or 403; true if it may pass now, so that it is sent once more. */
  renewed(status: number): Promise<boolean>;
}

/** Shows who asks. `changes`: the request changes something. Throws if nobody is logged in. */
export type Credentials = (changes: boolean) => Promise<Shown>;

const NOBODY: Credentials = () => Promise.resolve({ headers: {}, renewed: () => Promise.resolve(false) });
const UNAUTHORIZED = 401;
const FORBIDDEN = 403;

export type Parameters = Record<string, string | number | boolean | readonly string[] | undefined>;

/** One service at one address. `name` is how errors call it. */
export class Service {
  readonly name: string;
  readonly base: string;
  readonly #credentials: Credentials;

  constructor(name: string, base: string, credentials = NOBODY) {
    this.name = name;
    this.base = base.replace(/\/+$/, "");
    this.#credentials = credentials;
  }

  /** Ask for JSON. Throws RefusedError, UnreachableError, or an AbortError when `signal` says so. */
  async request<T>(path: string, options: RequestOptions = {}): Promise<T> {
    const changes = (options.method ?? "GET") !== "GET";
    const shown = await this.#credentials(changes);
    const answer = await this.#send(path, options, shown.headers);
    const refused = answer.status === UNAUTHORIZED || answer.status === FORBIDDEN;
    if (!refused || !(await shown.renewed(answer.status))) return this.#read<T>(answer);
    const { headers } = await this.#credentials(changes);
    return this.#read<T>(await this.#send(path, options, headers));
  }

  async #send(path: string, options: RequestOptions, shown: Record<string, string>): Promise<Response> {
    const { signal, method = "GET", headers = {}, body } = options;
    try {
      return await fetch(this.base + path, {
        method,
        headers: { Accept: "application/json", ...(body === undefined ? {} : JSON_BODY), ...shown, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        credentials: "include", // the cookies, also at the log-ingester's port
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new UnreachableError(this.name);
    }
  }

  async #read<T>(answer: Response): Promise<T> {
    const text = await answer.text();
    const body = parse(text);
    if (!answer.ok) throw new RefusedError(asProblem(body, answer.status));
    if (answer.status === NO_CONTENT) return undefined as T;
    if (body === undefined) throw new UnreachableError(this.name); // a proxy's page, not ours
    return body as T;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asProblem(body: unknown, status: number): Problem {
  if (typeof body === "object" && body !== null && "title" in body && typeof body.title === "string") {
    return { ...body, title: body.title, status };
  }
  return { title: "request refused", status, detail: `HTTP status ${status}` };
}

/** Return `path?a=1&b=2` without the parameters that are empty. */
export function withQuery(path: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? (value as readonly string[]) : [value]) {
      if (one !== undefined && one !== "") query.append(name, String(one));
    }
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}
