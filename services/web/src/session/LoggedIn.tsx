import { type ReactNode, useEffect } from "react";
import { useRouter } from "wouter";
import { Loading } from "../components/states";
import { LoginNotice, Trouble } from "../components/Trouble";
import { preload } from "../routes";
import { useSessionState } from "./useSession";

/** The pages, once it is known who looks at them. They stay when the session is over, with what was typed. */
export function LoggedIn({ children }: { children: ReactNode }) {
  const state = useSessionState();
  const { parser } = useRouter();
  useEffect(() => preload(parser, window.location.pathname), [parser]); // while the session is asked for
  if (state.kind === "asking") return state.error ? <Trouble error={state.error} /> : <Loading />;
  if (state.kind === "over" && state.last === null) return <LoginNotice />;
  return children;
}
