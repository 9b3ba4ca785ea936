import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from "react";

const NEAR_PX = 8; // so near the end counts as at the end

export interface Following {
  following: boolean; // whether the view keeps to the end
  setFollowing(on: boolean): void;
  scrollTop: number;
  height: number; // of what is in view
  width: number;
  onScroll(): void;
}

/**
 * Keep a scrolled box at its end while output comes, until the user scrolls up; at the end again it goes on.
 *
 * `droppedPx` is the height of what was taken away at the top over all time, so that what the user reads stays where
 * it is.
 */
export function useFollowing(box: RefObject<HTMLElement | null>, droppedPx: number): Following {
  const [following, setFollowing] = useState(true);
  const [view, setView] = useState({ scrollTop: 0, height: 0, width: 0 });
  const lastTop = useRef(0);
  const lastDropped = useRef(droppedPx);

  const measure = useCallback(() => {
    const element = box.current;
    if (!element) return;
    lastTop.current = element.scrollTop;
    const seen = { scrollTop: element.scrollTop, height: element.clientHeight, width: element.clientWidth };
    setView((known) =>
      known.scrollTop === seen.scrollTop && known.height === seen.height && known.width === seen.width ? known : seen,
    );
  }, [box]);

  const settle = useCallback(() => {
    const element = box.current;
    if (!element) return;
    if (following) element.scrollTop = element.scrollHeight;
    else if (droppedPx > lastDropped.current) element.scrollTop -= droppedPx - lastDropped.current;
    lastDropped.current = droppedPx;
    measure();
  }, [box, following, droppedPx, measure]);

  // After every commit, not only when a height changed: the lines change in place, so a rendering that React throws
  // away may have seen the new height already, and what depends on it would not run again.
  useLayoutEffect(settle);

  useLayoutEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(settle);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [box, settle]);

  const onScroll = (): void => {
    const element = box.current;
    if (!element) return;
    const atEnd = element.scrollTop + element.clientHeight >= element.scrollHeight - NEAR_PX;
    if (atEnd) setFollowing(true);
    else if (element.scrollTop < lastTop.current) setFollowing(false); // up: by the user's hand
    measure();
  };
  return { following, setFollowing, ...view, onScroll };
}
