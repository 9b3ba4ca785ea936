import { Textarea } from "@mantine/core";
import { useState } from "react";
import type { Draft } from "./draft";
import { useEditing } from "./DraftContext";
import { textOf as problemText } from "./problems";
import { lineOf, read, textOf } from "./yamlText";

export interface Written {
  text: string;
  draft: Draft; // what the text says, or last said
  isBroken: boolean; // the text cannot be read
}

interface Props {
  written: Written | null; // as it was left, with its comments
  keep(written: Written): void;
}

/** The definition as YAML. What is wrong is told with its line: what cannot be read, and what the server says. */
export default function YamlView({ written, keep }: Props) {
  const { draft, change, problems } = useEditing();
  const [text, type] = useState(() => (written && written.draft === draft ? written.text : textOf(draft)));
  const reading = read(text);
  const broken = "message" in reading ? reading : null;

  const typed = (next: string): void => {
    type(next);
    const result = read(next);
    if ("draft" in result) change(result.draft);
    keep({ text: next, draft: "draft" in result ? result.draft : draft, isBroken: "message" in result });
  };

  return (
    <div className="panel edit-section">
      <Textarea
        label="Definition"
        description="YAML, as dcron job apply reads it. Comments are for you: they are not saved."
        className="edit-code edit-yaml"
        autosize
        minRows={18}
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        aria-invalid={broken !== null || problems.length > 0}
        aria-describedby="edit-yaml-problems"
        value={text}
        onChange={(event) => typed(event.currentTarget.value)}
      />
      <ul id="edit-yaml-problems" className="edit-problems" aria-live="polite">
        {broken && (
          <li>
            <span className="edit-line">line {broken.line}</span> {broken.message}
          </li>
        )}
        {!broken &&
          problems.map((problem) => (
            <li key={problemText(problem)}>
              <Line at={lineOf(text, problem.field)} /> {problemText(problem)}
            </li>
          ))}
      </ul>
    </div>
  );
}

const Line = ({ at }: { at: number | undefined }) => (at === undefined ? null : <span className="edit-line">line {at}</span>);
