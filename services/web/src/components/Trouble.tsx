import { RefusedError, UnreachableError } from "../api/client";
import { LoginLink } from "../session/LoginLink";
import { formatClock } from "../time/instant";
import { Icon } from "./icons";

const UNAUTHORIZED = 401;

export const notLoggedIn = (error: Error | null): boolean =>
  error instanceof RefusedError && error.status === UNAUTHORIZED;

/** In place of a page whose answer cannot be had. */
export function Trouble({ error }: { error: Error }) {
  if (notLoggedIn(error)) return <LoginNotice />;
  return (
    <section className="panel trouble" role="alert">
      <Icon name="alert" />
      <div>
        <h2>{titleOf(error)}</h2>
        <Detail error={error} />
      </div>
    </section>
  );
}

/** Above what is still shown from before. `knownAt`: when that came, in ms. Of a session's end the shell tells. */
export function StaleBanner({ error, knownAt }: { error: Error; knownAt: number | null }) {
  if (notLoggedIn(error)) return null;
  const since = knownAt === null ? "" : ` Shown as it was at ${formatClock(new Date(knownAt).toISOString()).slice(0, 8)}.`;
  return (
    <div className="banner banner-warning" role="status">
      <Icon name="alert" />
      <p>
        <strong>{titleOf(error)}.</strong> {error instanceof RefusedError ? error.problem.detail : "Trying again."}
        {since}
      </p>
    </div>
  );
}

/** In place of everything, for who is not logged in. */
export function LoginNotice() {
  return (
    <section className="panel trouble" role="alert">
      <Icon name="lock" />
      <div>
        <h2>Not logged in</h2>
        <p>
          <LoginLink>Log in</LoginLink> to see this. On one machine, <code>dcron link</code> prints an address that logs you in once.
        </p>
      </div>
    </section>
  );
}

function Detail({ error }: { error: Error }) {
  if (!(error instanceof RefusedError)) {
    return <p>Is it running, and does the network reach it? This page tries again by itself.</p>;
  }
  const { detail, errors = [] } = error.problem;
  return (
    <>
      {detail && <p>{detail}</p>}
      {errors.length > 0 && (
        <ul>
          {errors.map((problem) => (
            <li key={`${problem.field} ${problem.message}`}>
              <code>{problem.field || "body"}</code>: {problem.message}
              {problem.remedy && ` (${problem.remedy})`}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

export function titleOf(error: Error): string {
  if (error instanceof RefusedError) return capital(error.problem.title);
  if (error instanceof UnreachableError) return `The ${error.service} does not answer`;
  return "The page met an error of its own";
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
