import { useQuery } from "@tanstack/react-query";
import { secretReference, secretsQuery } from "../../api/secrets";
import { useField } from "./DraftContext";

export const SECRETS_LIST = "edit-secrets";

/** The secrets that the job could name, as suggestions for values. */
export function SecretNames() {
  const { value } = useField("namespace");
  const { data } = useQuery({ ...secretsQuery(typeof value === "string" ? value : "default"), retry: false });
  return (
    <datalist id={SECRETS_LIST}>
      {data?.secrets.map(({ name }) => (
        <option key={name} value={secretReference(name)} />
      ))}
    </datalist>
  );
}
