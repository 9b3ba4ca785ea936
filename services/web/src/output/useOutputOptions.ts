import { useLocalStorage } from "@mantine/hooks";
import { useState } from "react";
import type { Stream } from "../api/types";

export interface OutputOptions {
  stamped: boolean;
  wrapped: boolean;
  stream: Stream | null; // null: both
  setStamped(on: boolean): void;
  setWrapped(on: boolean): void;
  setStream(stream: Stream | null): void;
}

/** How output is shown. What is a matter of taste is kept in this browser. */
export function useOutputOptions(): OutputOptions {
  const [stamped, setStamped] = useLocalStorage({ key: "dcron-output-stamped", defaultValue: false });
  const [wrapped, setWrapped] = useLocalStorage({ key: "dcron-output-wrapped", defaultValue: false });
  const [stream, setStream] = useState<Stream | null>(null);
  return { stamped, wrapped, stream, setStamped, setWrapped, setStream };
}
