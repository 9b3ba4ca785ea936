import { Button } from "@mantine/core";
import type { Job } from "../../api/types";
import { Icon } from "../../components/icons";

/** Tells while one still types that the job has a newer version already. */
export function RivalBanner({ job, compare }: { job: Job; compare(): void }) {
  return (
    <div className="banner banner-warning edit-banner" role="status">
      <Icon name="alert" />
      <p>
        <strong>
          {job.updated_by} has saved version {job.version} meanwhile.
        </strong>{" "}
        What you typed is still here.
      </p>
      <Button onClick={compare}>Compare</Button>
    </div>
  );
}
