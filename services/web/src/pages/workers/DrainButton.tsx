import { Button } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { drainWorker, undrainWorker } from "../../api/master";
import type { Worker } from "../../api/types";
import { useNotices } from "../../components/notices";
import { useMay } from "../../session/useSession";

/** Let the worker claim nothing more, or let it claim again. Neither touches what it runs. */
export function DrainButton({ worker }: { worker: Worker }) {
  const client = useQueryClient();
  const notices = useNotices();
  const drained = worker.drained_by !== null;
  const { mutate, isPending } = useMutation({
    mutationFn: () => (drained ? undrainWorker : drainWorker)(worker.worker_id),
    onSuccess: () => {
      notices.done(drained ? `${worker.worker_id} takes runs again.` : `${worker.worker_id} claims nothing more; what it runs goes on.`);
      void client.invalidateQueries({ queryKey: ["workers"] });
    },
    onError: (error) => notices.failed(error),
  });
  const may = useMay();
  if (!may("operator")) return null;
  const name = drained ? "Undrain" : "Drain";
  return (
    <Button disabled={isPending} onClick={() => mutate()} aria-label={`${name}: ${worker.worker_id}`}>
      {name}
    </Button>
  );
}
