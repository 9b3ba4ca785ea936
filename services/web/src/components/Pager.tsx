import type { Pages } from "../api/usePages";

/** Previous and next; nothing where there is but one page. */
export function Pager({ pages, nextCursor }: { pages: Pages; nextCursor: string | null }) {
  if (pages.number === 1 && nextCursor === null) return null;
  return (
    <nav className="pager" aria-label="Pages">
      <button type="button" className="button" disabled={pages.number === 1} onClick={pages.previous}>
        Previous
      </button>
      <span>Page {pages.number}</span>
      <button
        type="button"
        className="button"
        disabled={nextCursor === null}
        onClick={() => nextCursor !== null && pages.next(nextCursor)}
      >
        Next
      </button>
    </nav>
  );
}
