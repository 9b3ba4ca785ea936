import { Button, TextInput } from "@mantine/core";
import { useRef, useState } from "react";
import { Icon } from "./icons";

interface Props {
  label: string;
  text: string;
}

/** A text that is there to be copied, such as a token that is shown once. */
export function CopyText({ label, text }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => setCopied(await copyText(text, input.current));
  return (
    <div className="copy-text">
      <TextInput
        ref={input}
        label={label}
        value={text}
        readOnly
        spellCheck={false}
        autoComplete="off"
        onFocus={(event) => event.currentTarget.select()}
      />
      <Button onClick={() => void copy()} leftSection={<Icon name={copied ? "check" : "copy"} />} data-autofocus>
        {copied ? "Copied" : "Copy"}
      </Button>
      <span className="visually-hidden" role="status">
        {copied && `${label} is copied`}
      </span>
    </div>
  );
}

/** Put the text on the clipboard; tells whether it is there. Without the permission it is left selected in `input`. */
async function copyText(text: string, input: HTMLInputElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text); // only there on https and localhost
    return true;
  } catch {
    input?.select();
    return document.execCommand?.("copy") ?? false;
  }
}
