import { ActionIcon, Menu, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import { createJob, deleteJob } from "../../api/master";
import type { Job } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { Icon } from "../../components/icons";
import { useNotices } from "../../components/notices";

interface DialogProps {
  job: Job;
  close(): void;
}

/** What is done with a job seldom: clone it, delete it. */
export function JobMenu({ job }: { job: Job }) {
  const [open, setOpen] = useState<"clone" | "delete" | null>(null);
  const close = (): void => setOpen(null);
  return (
    <>
      <Menu>
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label="More">
            <Icon name="more" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name="copy" />} onClick={() => setOpen("clone")}>
            Clone…
          </Menu.Item>
          <Menu.Item component={Link} href={`/jobs/new?from=${job.job_id}`} leftSection={<Icon name="edit" />}>
            Clone and edit
          </Menu.Item>
          <Menu.Item color="red" leftSection={<Icon name="trash" />} onClick={() => setOpen("delete")}>
            Delete…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {open === "clone" && <CloneDialog job={job} close={close} />}
      {open === "delete" && <DeleteDialog job={job} close={close} />}
    </>
  );
}

function CloneDialog({ job, close }: DialogProps) {
  const [name, setName] = useState(`${job.spec.name}-copy`);
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const confirm = async (): Promise<void> => {
    const made = await createJob({ ...job.spec, name: name.trim(), enabled: false });
    void client.invalidateQueries({ queryKey: ["jobs"] });
    close();
    navigate(`/jobs/${made.job_id}`);
  };
  return (
    <ConfirmDialog title={`Clone ${job.spec.name}`} action="Clone" confirm={confirm} close={close}>
      <p className="muted">The copy has the same definition. It is paused, so that nothing runs twice.</p>
      <TextInput label="Name of the copy" value={name} onChange={(event) => setName(event.currentTarget.value)} data-autofocus />
    </ConfirmDialog>
  );
}

function DeleteDialog({ job, close }: DialogProps) {
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const notices = useNotices();
  const confirm = async (): Promise<void> => {
    await deleteJob(job.job_id, job.version);
    navigate("/jobs");
    client.removeQueries({ queryKey: ["jobs", "one", job.job_id] });
    void client.invalidateQueries({ queryKey: ["jobs"] });
    notices.done(`${job.spec.name} is deleted. Its history stays; dcron job restore brings it back.`);
  };
  return (
    <ConfirmDialog title={`Delete ${job.spec.name}?`} action="Delete" danger typed={job.spec.name} confirm={confirm} close={close}>
      <p className="muted">It has no more ticks. Runs under way go on; its history and its runs stay on record.</p>
    </ConfirmDialog>
  );
}
