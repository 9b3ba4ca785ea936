/** The fields of the form. Each is bound to a place in the definition, such as `retry.backoff`, and shows its problem. */

import { Checkbox, Input, NativeSelect, TagsInput, Textarea, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import type { Json } from "./draft";
import { useField } from "./DraftContext";

interface FieldProps {
  place: string;
  label: string;
  help?: ReactNode;
  placeholder?: string;
}

const asText = (value: Json | undefined): string =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** The help stands below its input, so that inputs in a row are level. */
const BELOW: ("label" | "input" | "description" | "error")[] = ["label", "input", "description", "error"];

/** Attributes of inputs for names, commands and the like, which no browser should correct. */
const PLAIN = { autoComplete: "off", autoCapitalize: "off", autoCorrect: "off", spellCheck: false } as const;

interface TextFieldProps extends FieldProps {
  code?: boolean;
  list?: string; // of suggestions
  required?: boolean;
  autoFocus?: boolean;
}

export function TextField({ place, help, code = false, required = false, ...input }: TextFieldProps) {
  const { value, set, error } = useField(place);
  return (
    <TextInput
      {...input}
      inputWrapperOrder={BELOW}
      {...PLAIN}
      description={help}
      error={error}
      withAsterisk={required}
      aria-required={required}
      className={code ? "edit-code" : ""}
      value={asText(value)}
      onChange={(event) => set(event.currentTarget.value)}
    />
  );
}

interface AreaProps extends FieldProps {
  rows?: number;
  code?: boolean;
  required?: boolean;
}

export function AreaField({ place, help, rows = 2, code = false, required = false, ...input }: AreaProps) {
  const { value, set, error } = useField(place);
  return (
    <Textarea
      {...input}
      inputWrapperOrder={BELOW}
      {...(code ? PLAIN : {})}
      autosize
      minRows={rows}
      maxRows={24}
      description={help}
      error={error}
      withAsterisk={required}
      className={code ? "edit-code" : ""}
      value={asText(value)}
      onChange={(event) => set(event.currentTarget.value)}
    />
  );
}

/** A whole number. What is none is sent as it is typed, and the server says so. */
export function NumberField({ place, help, ...input }: FieldProps) {
  const { value, set, error } = useField(place);
  return (
    <TextInput
      {...input}
      inputWrapperOrder={BELOW}
      {...PLAIN}
      inputMode="numeric"
      description={help}
      error={error}
      value={asText(value)}
      onChange={(event) => set(asNumber(event.currentTarget.value))}
    />
  );
}

export const asNumber = (text: string): number | string => (/^\d{1,15}$/.test(text.trim()) ? Number(text) : text);

interface ChoiceProps extends FieldProps {
  options: readonly { value: string; label: string }[];
}

export function ChoiceField({ place, help, options, ...input }: ChoiceProps) {
  const { value, set, error } = useField(place);
  return (
    <NativeSelect
      {...input}
      inputWrapperOrder={BELOW}
      description={help}
      error={error}
      data={[...options]}
      value={asText(value)}
      onChange={(event) => set(event.currentTarget.value)}
    />
  );
}

export function NamesField({ place, help, ...input }: FieldProps) {
  const { value, set, error } = useField(place);
  return (
    <TagsInput
      {...input}
      inputWrapperOrder={BELOW}
      description={help}
      error={error}
      value={Array.isArray(value) ? value.map(asText) : []}
      onChange={set}
      acceptValueOnBlur
    />
  );
}

export function SwitchField({ place, help, label }: FieldProps) {
  const { value, set, error } = useField(place);
  return (
    <Checkbox
      label={label}
      description={help}
      error={error}
      checked={value === true}
      onChange={(event) => set(event.currentTarget.checked)}
    />
  );
}

/** Some of a few names. */
export function SomeField({ place, help, label, options }: ChoiceProps) {
  const { value, set, error } = useField(place);
  return (
    <Checkbox.Group
      label={label}
      description={help}
      error={error}
      value={Array.isArray(value) ? value.map(asText) : []}
      onChange={(names) => set(options.map((option) => option.value).filter((name) => names.includes(name)))}
    >
      <div className="edit-checks">
        {options.map((option) => (
          <Checkbox key={option.value} value={option.value} label={option.label} />
        ))}
      </div>
    </Checkbox.Group>
  );
}

interface ListTextProps extends FieldProps {
  read(text: string): Json[];
  write(items: readonly Json[]): string;
  rows?: number; // more than one line
  required?: boolean;
}

/** A list that is written as text; the text stays as it is typed. */
export function ListField({ place, help, label, placeholder = "", read, write, rows = 1, required = false }: ListTextProps) {
  const { value, set, error } = useField(place);
  const items = Array.isArray(value) ? value : [];
  const [text, type] = useState(() => write(items));
  const changed = (typed: string): void => {
    type(typed);
    const list = read(typed);
    set(list.length > 0 ? list : undefined);
  };
  const shared = { ...PLAIN, inputWrapperOrder: BELOW, label, placeholder, description: help, error, value: text, withAsterisk: required };
  if (rows === 1) return <TextInput {...shared} onChange={(event) => changed(event.currentTarget.value)} />;
  return (
    <Textarea
      {...shared}
      className="edit-code"
      autosize
      minRows={rows}
      maxRows={24}
      onChange={(event) => changed(event.currentTarget.value)}
    />
  );
}

/** What stands above several inputs that make one field, with the problem below them. */
export function Several({ place, label, help, children }: FieldProps & { children: ReactNode }) {
  const { error } = useField(place);
  return (
    <fieldset className="edit-several">
      <legend>{label}</legend>
      {help && <p className="edit-help">{help}</p>}
      {children}
      {error && <Input.Error role="alert">{error}</Input.Error>}
    </fieldset>
  );
}
