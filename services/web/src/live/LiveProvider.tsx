import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { socketBase } from "../api/ingester";
import { ingester } from "../api/services";
import type { FeedFrame } from "../api/types";
import { Feed, type FeedConnection } from "./feed";
import { refresher } from "./refresh";

const openFeed = async (): Promise<WebSocket> => new WebSocket(`${socketBase(await ingester())}/ws/feed`);

const LiveContext = createContext<Feed | null>(null);

/** Keeps the page live: one feed for all of it, which makes what is shown be asked for anew. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [feed] = useState(() => new Feed(openFeed));

  useEffect(() => {
    const { changed, stop } = refresher(client);
    let lost = false;
    const endFrames = feed.onFrame(changed);
    const endState = feed.onConnection(() => {
      const { kind } = feed.connection();
      if (kind === "live" && lost) void client.invalidateQueries(); // who knows what happened meanwhile
      lost = kind === "lost";
    });
    const hurry = (): void => feed.hurry();
    window.addEventListener("online", hurry);
    feed.start();
    return () => {
      window.removeEventListener("online", hurry);
      endFrames();
      endState();
      stop();
      feed.stop();
    };
  }, [client, feed]);

  return <LiveContext value={feed}>{children}</LiveContext>;
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
