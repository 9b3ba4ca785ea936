import { SegmentedControl } from "@mantine/core";
import { useFilters } from "../../api/useFilters";
import { usePageTitle } from "../../components/usePageTitle";
import { ComingTicks } from "./ComingTicks";
import { Figures } from "./Figures";
import { RunsNow } from "./RunsNow";
import { RunsOverTime } from "./RunsOverTime";
import { SPANS, type SpanName } from "./spans";
import "./overview.css";

const FILTERS = { span: "24h" };

/** How it stands: what runs, what failed, what comes, and whether everything keeps up. */
export default function OverviewPage() {
  usePageTitle("Overview");
  const [{ span }, setFilters] = useFilters(FILTERS);
  const chosen: SpanName = span in SPANS ? (span as SpanName) : "24h";
  return (
    <>
      <div className="page-head">
        <h1>Overview</h1>
        <SegmentedControl
          size="xs"
          aria-label="How far back"
          value={chosen}
          data={Object.entries(SPANS).map(([value, { label }]) => ({ value, label }))}
          onChange={(value) => setFilters({ span: value })}
        />
      </div>
      <Figures span={chosen} />
      <div className="overview-columns">
        <RunsOverTime span={chosen} />
        <ComingTicks />
        <RunsNow title="Running now" empty="Nothing runs at the moment" filter={{ status: ["running"] }} />
        <RunsNow
          title="Failed lately"
          empty={`Nothing failed in the last ${SPANS[chosen].label}`}
          filter={{ status: ["failed", "timed_out", "lost"] }}
          span={chosen}
        />
      </div>
    </>
  );
}
