import { ActionIcon, Button, SegmentedControl, TextInput } from "@mantine/core";
import type { Stream } from "../api/types";
import { Icon, type IconName } from "../components/icons";
import type { Connection } from "./follower";
import type { Found } from "./useLineSearch";
import type { OutputOptions } from "./useOutputOptions";

interface Props {
  heading: string; // the id of the heading
  connection: Connection;
  options: OutputOptions;
  download: string;
  sought: string;
  seek(text: string): void;
  found: Found;
  go(step: 1 | -1): void;
  following: boolean;
  follow(on: boolean): void;
}

/** What can be done with the output that is shown. */
export function OutputBar({ heading, connection, options, download, following, follow, ...search }: Props) {
  return (
    <div className="output-bar">
      <h2 id={heading}>Output</h2>
      <span className={`connection connection-${connection.kind}`} role="status">
        {connectionText(connection)}
      </span>
      <div className="output-tools">
        <Search {...search} />
        <SegmentedControl
          aria-label="Stream"
          data={[
            { value: "", label: "Both" },
            { value: "stdout", label: "stdout" },
            { value: "stderr", label: "stderr" },
          ]}
          value={options.stream ?? ""}
          onChange={(stream) => options.setStream((stream || null) as Stream | null)}
        />
        <Toggle on={options.stamped} set={options.setStamped} label="Timestamps" icon="clock" />
        <Toggle on={options.wrapped} set={options.setWrapped} label="Wrap" icon="wrap" />
        <Toggle on={following} set={follow} label="Follow" icon="down" />
        <Button component="a" href={download} leftSection={<Icon name="download" />}>
          Download
        </Button>
      </div>
    </div>
  );
}

function Search({ sought, seek, found, go }: Pick<Props, "sought" | "seek" | "found" | "go">) {
  const none = sought !== "" && found.count === 0 && !found.busy;
  return (
    <div className="output-search">
      <TextInput
        type="search"
        aria-label="Search output"
        placeholder="Search output  /"
        leftSection={<Icon name="search" />}
        data-search
        error={none}
        value={sought}
        onChange={(event) => seek(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") go(event.shiftKey ? -1 : 1);
        }}
      />
      {sought !== "" && (
        <>
          <span className="output-count number" role="status">
            {found.at >= 0 ? `${(found.at + 1).toLocaleString("en")} of ` : ""}
            {found.count.toLocaleString("en")}
            {found.busy ? "…" : ""}
          </span>
          <ActionIcon aria-label="Match before" onClick={() => go(-1)} disabled={found.count === 0}>
            <Icon name="up" />
          </ActionIcon>
          <ActionIcon aria-label="Next match" onClick={() => go(1)} disabled={found.count === 0}>
            <Icon name="down" />
          </ActionIcon>
        </>
      )}
    </div>
  );
}

function Toggle({ on, set, label, icon }: { on: boolean; set(on: boolean): void; label: string; icon: IconName }) {
  return (
    <Button aria-pressed={on} onClick={() => set(!on)} leftSection={<Icon name={icon} />}>
      {label}
    </Button>
  );
}

function connectionText(connection: Connection): string {
  switch (connection.kind) {
    case "connecting":
      return "Connecting…";
    case "waiting":
      return "Waiting for a worker";
    case "live":
      return "Live";
    case "lost":
      return `Connection lost; trying again (attempt ${connection.attempt})`;
    case "refused":
      return "Not available";
    case "finished":
      return "Complete";
  }
}
