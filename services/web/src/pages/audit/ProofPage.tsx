import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { headQuery, verifyQuery } from "../../api/audit";
import type { ChainHead, Verification } from "../../api/types";
import { Fact, Facts } from "../../components/Facts";
import { Icon } from "../../components/icons";
import { Ready } from "../../components/states";
import { Trouble } from "../../components/Trouble";
import { usePageTitle } from "../../components/usePageTitle";
import { Ago, At } from "../../components/When";
import { AuditHead } from "./AuditHead";

/** The chain of hashes over all events: where it stands, and whether log and archive still agree with it. */
export default function ProofPage() {
  usePageTitle("Proof");
  const head = useQuery(headQuery);
  const verification = useQuery(verifyQuery);
  return (
    <>
      <AuditHead>
        <Button variant="filled" loading={verification.isFetching} onClick={() => void verification.refetch()}>
          Verify the chain
        </Button>
      </AuditHead>
      <p className="lede">
        Every event carries a hash over itself and all events before it. Verifying recomputes the chain from the log and
        from the archive, and names the first event that is not what it was. Keep a signed head somewhere else to see
        later that nothing was cut off the end.
      </p>
      <div role="status">
        {verification.data && !verification.isFetching && (
          <Result verification={verification.data} at={verification.dataUpdatedAt} />
        )}
      </div>
      {verification.error && !verification.isFetching && <Trouble error={verification.error} />}
      <section>
        <h2>The head of the chain</h2>
        <Ready query={head} rows={3}>
          {(data) => <Head head={data} />}
        </Ready>
      </section>
    </>
  );
}

function Result({ verification, at }: { verification: Verification; at: number }) {
  const { intact, problem, archived, log_end } = verification;
  return (
    <div className={`banner ${intact ? "audit-intact" : "banner-failed"}`}>
      <Icon name={intact ? "check" : "alert"} />
      <p>
        <strong>{intact ? "Intact." : `Not intact: the ${problem?.where} at position ${problem?.position}.`}</strong>{" "}
        {intact
          ? `${archived.toLocaleString("en")} archived events and ${log_end.toLocaleString("en")} in the log agree.`
          : problem?.problem}{" "}
        Checked <Ago at={new Date(at).toISOString()} />.
      </p>
    </div>
  );
}

function Head({ head }: { head: ChainHead }) {
  return (
    <div className="panel facts-panel audit-head">
      <Facts>
        <Fact name="Position">{head.position.toLocaleString("en")}</Fact>
        <Fact name="Event of">
          <At at={head.at} />
        </Fact>
        <Fact name="Log">
          <code>{head.log_id}</code>
        </Fact>
        <Fact name="Signed by key">{head.key_id ? <code>{head.key_id}</code> : "not signed"}</Fact>
      </Facts>
      <Facts>
        <Fact name="Hash">
          <code>{head.hash}</code>
        </Fact>
        {head.signature && (
          <Fact name="Signature">
            <code>{head.signature}</code>
          </Fact>
        )}
      </Facts>
      <pre className="command">dcron audit head --json &gt; head.json{"\n"}dcron audit verify --head head.json</pre>
    </div>
  );
}
