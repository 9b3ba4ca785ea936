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

export type Parameters = Record<string, string | number | boolean | readonly string[] | undefined>;

/** One service at one address. `name` is how errors call it. */
export class Service {
  readonly name: string;
  readonly base: string;

  constructor(name: string, base: string) {
    this.name = name;
    this.base = base.replace(/\/+$/, "");
  }

  /** Ask for JSON. Throws RefusedError, UnreachableError, or an AbortError when `signal` says so. */
  async request<T>(path: string, { signal, method = "GET", headers = {}, body }: RequestOptions = {}): Promise<T> {
    let answer: Response;
    try {
      answer = await fetch(this.base + path, {
        method,
        headers: { Accept: "application/json", ...(body === undefined ? {} : JSON_BODY), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        credentials: "include", // the login cookie, also at the log-ingester's port
        ...(signal ? { signal } : {}),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new UnreachableError(this.name);
    }
    return this.#read<T>(answer);
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
