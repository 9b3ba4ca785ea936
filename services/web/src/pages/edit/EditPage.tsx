import { useQuery } from "@tanstack/react-query";
import { Link, useSearchParams } from "wouter";
import { jobQuery } from "../../api/master";
import { Icon } from "../../components/icons";
import { Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import type { PageProps } from "../../routes";
import { Allowed } from "../../session/Allowed";
import { namespaceOf, namespacesWith } from "../../session/rights";
import { useSession } from "../../session/useSession";
import type { Draft } from "./draft";
import "./edit.css";
import { Editor } from "./Editor";

/** Writes a job: a new one, a copy of another (`?from=`), or a new version of one that is there. */
export default function EditPage({ params: { id } }: PageProps) {
  const [parameters] = useSearchParams();
  const from = parameters.get("from");
  if (id !== undefined) return <Edit jobId={id} />;
  return from === null ? <New /> : <Clone key={from} from={from} />;
}

function New() {
  usePageTitle("New job");
  const namespace = useFirstNamespace();
  return (
    <>
      <Back href="/jobs" name="Jobs" />
      <Allowed role="editor" namespace={namespace}>
        <Editor title="New job" origin={namespace === "default" ? {} : { namespace }} latest={null} />
      </Allowed>
    </>
  );
}

/** Where a new job begins: in the namespace `default`, or the first in which the user may write jobs. */
function useFirstNamespace(): string {
  const where = namespacesWith(useSession().grants, "editor");
  return where === null || where.includes("default") ? "default" : (where[0] ?? "default");
}

function Clone({ from }: { from: string }) {
  usePageTitle("New job");
  const query = useQuery(jobQuery(from));
  return (
    <>
      <Back href={`/jobs/${from}`} name={query.data?.spec.name ?? "Job"} />
      <Ready query={query}>
        {({ spec }) => {
          const original = spec as unknown as Draft;
          return <Editor title={`Copy of ${spec.name}`} origin={copyOf(original)} latest={null} original={original} />;
        }}
      </Ready>
    </>
  );
}

function Edit({ jobId }: { jobId: string }) {
  const query = useQuery(jobQuery(jobId));
  const name = query.data?.spec.name ?? "Job";
  usePageTitle(`Edit ${name}`);
  return (
    <>
      <Back href={`/jobs/${jobId}`} name={name} />
      <Ready query={query}>
        {(job) => (
          <Allowed role="editor" namespace={namespaceOf(job.spec)}>
            <Editor title={`Edit ${job.spec.name}`} origin={job.spec as unknown as Draft} latest={job} />
          </Allowed>
        )}
      </Ready>
    </>
  );
}

function Back({ href, name }: { href: string; name: string }) {
  return (
    <Link href={href} className="back-link">
      <Icon name="back" />
      {name}
    </Link>
  );
}

const MOST_NAME = 128;

/** The same job under a name that is still free, as far as one can guess. */
const copyOf = (spec: Draft): Draft => ({ ...spec, name: `${String(spec["name"]).slice(0, MOST_NAME - 5)}-copy` });
