import { RefusedError, UnreachableError } from "../api/client";
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

/** Above what is still shown from before. `knownAt`: when that came, in ms. */
export function StaleBanner({ error, knownAt }: { error: Error; knownAt: number | null }) {
  const since = knownAt === null ? "" : ` Shown as it was at ${formatClock(new Date(knownAt).toISOString()).slice(0, 8)}.`;
  return (
    <div className="banner banner-warning" role="status">
      <Icon name="alert" />
      <p>
        <strong>{notLoggedIn(error) ? "Not logged in." : `${titleOf(error)}.`}</strong>{" "}
        {notLoggedIn(error) ? <LoginRemedy /> : error instanceof RefusedError ? error.problem.detail : "Trying again."}
        {since}
      </p>
    </div>
  );
}

function LoginNotice() {
  return (
    <section className="panel trouble" role="alert">
      <Icon name="alert" />
      <div>
        <h2>Not logged in</h2>
        <p>
          <LoginRemedy />
        </p>
      </div>
    </section>
  );
}

function LoginRemedy() {
  return (
    <>
      Open the login link that <code>dcron up</code> printed; <code>dcron link</code> prints it again.
    </>
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
