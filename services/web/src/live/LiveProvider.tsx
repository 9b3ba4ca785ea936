import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { socketBase } from "../api/ingester";
import { ingester, keeper } from "../api/services";
import type { FeedFrame } from "../api/types";
import { Feed, type FeedConnection } from "./feed";
import { refresher } from "./refresh";

const openFeed = async (): Promise<WebSocket> => {
  await keeper.access();
  return new WebSocket(`${socketBase(await ingester())}/ws/feed`);
};

const LiveContext = createContext<Feed | null>(null);

/** Keeps the page live: one feed for all of it, which makes what is shown be asked for anew. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [feed] = useState(() => new Feed(openFeed));

  useEffect(() => {
    const { changed, stop } = refresher(client);
    let opened = false;
    const endFrames = feed.onFrame(changed);
    const endState = feed.onConnection(() => {
      const live = feed.connection().kind === "live";
      if (live && opened) void client.invalidateQueries(); // who knows what happened meanwhile
      opened ||= live;
    });
    const hurry = (): void => feed.hurry();
    const endSession = onReturn(() => {
      void client.invalidateQueries();
      hurry();
    });
    window.addEventListener("online", hurry);
    feed.start();
    return () => {
      window.removeEventListener("online", hurry);
      endSession();
      endFrames();
      endState();
      stop();
      feed.stop();
    };
  }, [client, feed]);

  return <LiveContext value={feed}>{children}</LiveContext>;
}

/** Hear that somebody is logged in again after the session was over. Returns what ends it. */
function onReturn(returned: () => void): () => void {
  let wasOver = false;
  return keeper.subscribe(() => {
    const { kind } = keeper.state();
    if (kind === "open" && wasOver) returned();
    wasOver = kind === "over";
  });
}

const CONNECTING: FeedConnection = { kind: "connecting" };
const never = (): (() => void) => () => undefined;

/** Whether the page is told of what happens. */
export function useConnection(): FeedConnection {
  const feed = useContext(LiveContext);
  return useSyncExternalStore(feed?.onConnection ?? never, feed?.connection ?? (() => CONNECTING));
}

/** Hear each change of a run as it happens. `listener` must be stable; answers are asked for anew without this. */
export function useFeed(listener: (frame: FeedFrame) => void): void {
  const feed = useContext(LiveContext);
  useEffect(() => feed?.onFrame(listener), [feed, listener]);
}
