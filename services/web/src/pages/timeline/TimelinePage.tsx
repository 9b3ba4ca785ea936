import { Button, SegmentedControl } from "@mantine/core";
import { useFilters } from "../../api/useFilters";
import { usePages } from "../../api/usePages";
import { Icon } from "../../components/icons";
import { Pager } from "../../components/Pager";
import { SearchField } from "../../components/SearchField";
import { Empty, Ready } from "../../components/states";
import { StaleBanner } from "../../components/Trouble";
import { usePageTitle } from "../../components/usePageTitle";
import { useNow } from "../../time/useNow";
import { Lanes } from "./Lanes";
import { PileUp } from "./PileUp";
import { centreAround, rangeOf, spanNamed, SPANS, type SpanName, zoomed } from "./range";
import { useTimeline } from "./useTimeline";
import "./timeline.css";

const FILTERS = { q: "", span: "1h", at: "" }; // at: the centre; none: the present is followed

/** The runs of many jobs on one axis of time, those that were and those that come: where do they pile up? */
export default function TimelinePage() {
  usePageTitle("Timeline");
  const [{ q, span: spanText, at }, setFilters] = useFilters(FILTERS);
  const pages = usePages();
  const now = useNow();
  const span = spanNamed(spanText);
  const centre = at && !Number.isNaN(Date.parse(at)) ? Date.parse(at) : null;
  const range = rangeOf(span, centre, now);
  const timeline = useTimeline(q, pages.cursor, range, now);

  const look = (name: SpanName, middle: number | null): void =>
    setFilters({ span: name, at: middle === null ? "" : new Date(middle).toISOString() });
  const move = (by: number): void => look(span, (range.start + range.end) / 2 + by * SPANS[span]);
  const zoom = (by: 1 | -1, fixed: number | null): void => {
    const next = zoomed(span, by);
    const following = centre === null && fixed === null;
    look(next, following ? null : centreAround(range, fixed ?? (range.start + range.end) / 2, SPANS[next]));
  };

  return (
    <>
      <div className="page-head">
        <h1>Timeline</h1>
        <Controls span={span} following={centre === null} look={(name) => look(name, centre)} move={move} follow={() => look(span, null)} />
        <SearchField
          label="Search jobs"
          value={q}
          onSearch={(text) => {
            pages.first();
            setFilters({ q: text });
          }}
        />
      </div>
      <Ready query={timeline.jobs}>
        {(jobs) => (
          <>
            {timeline.error && <StaleBanner error={timeline.error} knownAt={null} />}
            <PileUp range={range} past={timeline.past} future={timeline.future} />
            {jobs.jobs.length === 0 ? (
              <Empty title={q ? `No job matches “${q}”` : "No jobs yet"} />
            ) : (
              <Lanes lanes={timeline.lanes} range={range} now={now} onMove={move} onZoom={zoom} />
            )}
            <Pager pages={pages} nextCursor={jobs.next_cursor} />
          </>
        )}
      </Ready>
    </>
  );
}

interface ControlsProps {
  span: SpanName;
  following: boolean;
  look(span: SpanName): void;
  move(by: number): void;
  follow(): void;
}

function Controls({ span, following, look, move, follow }: ControlsProps) {
  return (
    <div className="timeline-controls">
      <Button onClick={() => move(-0.5)} aria-label="Earlier">
        <Icon name="back" />
      </Button>
      <Button onClick={follow} aria-pressed={following}>
        Now
      </Button>
      <Button onClick={() => move(0.5)} aria-label="Later">
        <Icon name="forward" />
      </Button>
      <SegmentedControl
        size="xs"
        aria-label="Span of time"
        value={span}
        data={Object.keys(SPANS)}
        onChange={(value) => look(spanNamed(value))}
      />
    </div>
  );
}
