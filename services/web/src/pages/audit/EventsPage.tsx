import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { eventsQuery } from "../../api/audit";
import { useFilters } from "../../api/useFilters";
import { usePages } from "../../api/usePages";
import { Pager } from "../../components/Pager";
import { SearchField } from "../../components/SearchField";
import { Empty, Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import { AuditHead } from "./AuditHead";
import { EventsTable } from "./EventsTable";
import { KIND_CHOICES } from "./kinds";

const PAGE_SIZE = 50;
const FILTERS = { q: "", kind: "", actor: "", job: "", job_id: "" };

/** Every change of every job, who made it and what it changed. */
export default function EventsPage() {
  usePageTitle("Audit");
  const [filters, setFilters] = useFilters(FILTERS);
  const pages = usePages();
  const { q, kind, actor, job, job_id } = filters;
  const asked = { text: q, kind, actor, job, job_id, cursor: pages.cursor };
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== ""));
  const events = useQuery(eventsQuery({ ...given, limit: PAGE_SIZE }));
  const choose = (change: Partial<typeof FILTERS>): void => {
    pages.first();
    setFilters(change);
  };
  const filtered = Object.keys(given).length > (pages.cursor ? 1 : 0);
  return (
    <>
      <AuditHead>
        <SearchField label="Search events" value={q} onSearch={(text) => choose({ q: text })} />
      </AuditHead>
      <div className="audit-filters">
        <NativeSelect
          size="xs"
          label="What happened"
          value={kind}
          data={KIND_CHOICES}
          onChange={(event) => choose({ kind: event.currentTarget.value })}
        />
        <Filter label="Job" value={job || job_id} onChange={(value) => choose({ job: value, job_id: "" })} />
        <Filter label="By" value={actor} onChange={(value) => choose({ actor: value })} />
        {filtered && <Button onClick={() => choose(FILTERS)}>Clear</Button>}
      </div>
      <Ready query={events}>
        {(data) => (
          <>
            {data.events.length === 0 ? (
              <Empty title={filtered ? "No event matches" : "Nothing has happened yet"} />
            ) : (
              <EventsTable events={data.events} />
            )}
            <Pager pages={pages} nextCursor={data.next_cursor} />
          </>
        )}
      </Ready>
    </>
  );
}

/** A text that is taken when it is whole: with Enter, or when the field is left. */
function Filter({ label, value, onChange }: { label: string; value: string; onChange(value: string): void }) {
  return (
    <TextInput
      key={value}
      size="xs"
      label={label}
      defaultValue={value}
      spellCheck={false}
      onBlur={(event) => event.currentTarget.value !== value && onChange(event.currentTarget.value.trim())}
      onKeyDown={(event) => event.key === "Enter" && onChange(event.currentTarget.value.trim())}
    />
  );
}
