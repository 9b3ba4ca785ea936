import { Component, type ReactNode } from "react";
import { Trouble } from "./Trouble";

/** In place of a page that broke, or whose part could not be loaded; the rest of the site goes on. */
export class PageFailure extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    return this.state.error ? <Trouble error={this.state.error} /> : this.props.children;
  }
}
