import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import { facetsQuery } from "../api/master";
import { namespacesWith } from "../session/rights";
import { useSession } from "../session/useSession";

interface Props {
  value: string;
  change(value: string): void;
  label?: string;
  "aria-label"?: string;
  also?: readonly string[]; // suggested before those that there are
  className?: string;
  error?: string | undefined;
}

/** A namespace, with those that the user knows as suggestions; another one can be typed. */
export function NamespaceField({ value, change, also = [], ...input }: Props) {
  const id = useId();
  const { data } = useQuery(facetsQuery);
  const { grants } = useSession();
  const known = [...also, ...(data?.namespaces.map((facet) => facet.value) ?? []), ...(namespacesWith(grants, "viewer") ?? [])];
  return (
    <>
      <TextInput
        {...input}
        list={id}
        value={value}
        onChange={(event) => change(event.currentTarget.value.trim())}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
      />
      <datalist id={id}>
        {[...new Set(known)].map((namespace) => (
          <option key={namespace} value={namespace} />
        ))}
      </datalist>
    </>
  );
}
