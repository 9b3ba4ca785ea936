import { Link } from "wouter";

export function NotFoundPage() {
  return (
    <section className="panel empty">
      <h1>There is no such page</h1>
      <p>
        <Link href="/jobs">All jobs</Link>
      </p>
    </section>
  );
}
