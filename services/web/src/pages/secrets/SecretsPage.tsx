import { Button, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { secretReference, secretsQuery } from "../../api/secrets";
import type { SecretList } from "../../api/types";
import { useFilters } from "../../api/useFilters";
import { Icon } from "../../components/icons";
import { Empty, Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import { holdsSomewhere } from "../../session/rights";
import { useSession } from "../../session/useSession";
import { SecretDialog } from "./SecretDialog";
import "./secrets.css";
import { SecretsTable } from "./SecretsTable";

const FILTERS = { namespace: "" };

/** Secrets by namespace: their names, never their values. */
export default function SecretsPage() {
  usePageTitle("Secrets");
  const [{ namespace }, setFilters] = useFilters(FILTERS);
  const secrets = useQuery(secretsQuery(""));
  const [adding, add] = useState(false);
  const { grants } = useSession();
  const mayAdd = holdsSomewhere(grants, "editor");
  return (
    <>
      <div className="page-head">
        <h1>Secrets</h1>
        <Select
          aria-label="Namespace"
          placeholder="Any namespace"
          data={namespacesOf(secrets.data, namespace)}
          value={namespace || null}
          onChange={(chosen) => setFilters({ namespace: chosen ?? "" })}
          clearable
          searchable
        />
        {mayAdd && (
          <Button variant="filled" leftSection={<Icon name="plus" />} onClick={() => add(true)}>
            New secret
          </Button>
        )}
      </div>
      <p className="lede">
        A job's environment names a secret of its own namespace as <code>{secretReference("NAME")}</code>, alone or within a
        longer value, and so do the headers of an HTTP call: the worker puts the value in its place when it starts the run, and
        the output shows <code>***</code> instead of it.
      </p>
      <Ready query={secrets} rows={3}>
        {(data) => {
          const shown = data.secrets.filter((secret) => namespace === "" || secret.namespace === namespace);
          return shown.length === 0 ? <NoSecrets filtered={namespace !== ""} mayAdd={mayAdd} /> : <SecretsTable secrets={shown} />;
        }}
      </Ready>
      {adding && <SecretDialog namespace={namespace} close={() => add(false)} />}
    </>
  );
}

function namespacesOf(list: SecretList | undefined, chosen: string): string[] {
  const all = list?.secrets.map(({ namespace }) => namespace) ?? [];
  return [...new Set(chosen ? [...all, chosen] : all)].sort();
}

function NoSecrets({ filtered, mayAdd }: { filtered: boolean; mayAdd: boolean }) {
  return (
    <Empty title={filtered ? "No secret in this namespace" : "No secrets yet"}>
      <p>{mayAdd ? "Keep passwords and keys here, not in a job's definition: whoever sees the job sees that." : "An editor can add one."}</p>
    </Empty>
  );
}
