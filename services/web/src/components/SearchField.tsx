import { TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { Icon } from "./icons";

const TYPING_MS = 200;

interface Props {
  label: string;
  value: string;
  onSearch(text: string): void; // a moment after the last key
}

/** What is searched for on this page; `/` leads here. */
export function SearchField({ label, value, onSearch }: Props) {
  const [typed, type] = useState(value);
  const [known, setKnown] = useState(value);
  if (value !== known) {
    setKnown(value); // changed from elsewhere, such as by going back
    if (value !== typed.trim()) type(value);
  }
  useEffect(() => {
    if (typed.trim() === value) return;
    const timer = setTimeout(() => onSearch(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, value, onSearch]);

  return (
    <TextInput
      className="search"
      type="search"
      aria-label={label}
      placeholder={`${label}  /`}
      leftSection={<Icon name="search" />}
      data-search
      value={typed}
      onChange={(event) => type(event.currentTarget.value)}
    />
  );
}
