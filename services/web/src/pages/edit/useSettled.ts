import { useEffect, useState } from "react";

const TYPING_MS = 250;

/** The value as it was when nothing had changed for a moment, so that not each key asks the server. */
export function useSettled<T>(value: T): T {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), TYPING_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
