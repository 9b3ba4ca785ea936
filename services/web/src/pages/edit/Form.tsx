import { useEditing } from "./DraftContext";
import { IdentitySection, LimitsSection, RunSection } from "./JobSections";
import { placeOf, textOf } from "./problems";
import { EventsSection, PlaceSection, ScheduleSection } from "./TimeSections";

/** The definition, field by field. `isNew`: nothing of it is written yet. */
export function Form({ isNew }: { isNew: boolean }) {
  return (
    <div className="edit-form">
      <Elsewhere />
      <IdentitySection isNew={isNew} />
      <RunSection />
      <ScheduleSection isNew={isNew} />
      <EventsSection />
      <PlaceSection />
      <LimitsSection />
    </div>
  );
}

/** What is wrong with what this form has no field for. */
function Elsewhere() {
  const { problems } = useEditing();
  const homeless = problems.filter(({ field }) => placeOf(field) === undefined);
  if (homeless.length === 0) return null;
  return (
    <ul className="panel edit-section edit-problems" role="alert">
      {homeless.map((problem) => (
        <li key={textOf(problem)}>{textOf(problem)}</li>
      ))}
    </ul>
  );
}
