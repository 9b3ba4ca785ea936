import { Button } from "@mantine/core";
import type { Pages } from "../api/usePages";

/** Previous and next; nothing where there is but one page. */
export function Pager({ pages, nextCursor }: { pages: Pages; nextCursor: string | null }) {
  if (pages.number === 1 && nextCursor === null) return null;
  return (
    <nav className="pager" aria-label="Pages">
      <Button disabled={pages.number === 1} onClick={pages.previous}>
        Previous
      </Button>
      <span>Page {pages.number}</span>
      <Button disabled={nextCursor === null} onClick={() => nextCursor !== null && pages.next(nextCursor)}>
        Next
      </Button>
    </nav>
  );
}
