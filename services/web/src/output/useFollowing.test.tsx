// @vitest-environment jsdom
import { act, cleanup, fireEvent, render } from "@testing-library/react";
import { useRef } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useFollowing } from "./useFollowing";

const VIEW_PX = 100;
let contentPx = 0; // changes in place, as the lines of a run do

function Box({ revision }: { revision: number }) {
  const box = useRef<HTMLDivElement>(null);
  const view = useFollowing(box, 0);
  return (
    <div ref={box} onScroll={view.onScroll} data-testid="box" data-following={view.following}>
      <p style={{ height: contentPx }}>{revision}</p>
    </div>
  );
}

let resized: () => void;

beforeEach(() => {
  contentPx = 1_000;
  vi.stubGlobal("ResizeObserver", class {
    constructor(callback: () => void) {
      resized = callback;
    }
    observe(): void {}
    disconnect(): void {}
  });
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(VIEW_PX);
  vi.spyOn(Element.prototype, "scrollHeight", "get").mockImplementation(function (this: Element) {
    return Number.parseInt(this.querySelector("p")?.style.height ?? "0", 10);
  });
  let top = 0;
  vi.spyOn(Element.prototype, "scrollTop", "get").mockImplementation(() => top);
  vi.spyOn(Element.prototype, "scrollTop", "set").mockImplementation(function (this: Element, to: number) {
    top = Math.max(0, Math.min(to, this.scrollHeight - VIEW_PX));
  });
});

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it("is at the end after every change, also when a rendering that was thrown away saw it first", () => {
  const shown = render(<Box revision={0} />);
  const box = shown.getByTestId("box");
  for (let revision = 1; revision <= 10; revision++) {
    contentPx += 500;
    fireEvent.scroll(box); // at the end still: nothing to change, but React may render to find that out
    shown.rerender(<Box revision={revision} />);
    expect(box.scrollTop).toBe(contentPx - VIEW_PX);
  }
});

it("is at the end again when the box itself became smaller", () => {
  const box = render(<Box revision={0} />).getByTestId("box");
  box.scrollTop = 700; // the browser's, not the user's: no scroll event was told
  act(() => resized());
  expect(box.scrollTop).toBe(contentPx - VIEW_PX);
});

it("stays where the user scrolled to, until the end is reached again", () => {
  const shown = render(<Box revision={0} />);
  const box = shown.getByTestId("box");
  box.scrollTop = 300;
  fireEvent.scroll(box);
  contentPx += 500;
  shown.rerender(<Box revision={1} />);
  expect(box.scrollTop).toBe(300);
  box.scrollTop = contentPx;
  fireEvent.scroll(box);
  contentPx += 500;
  shown.rerender(<Box revision={2} />);
  expect(box.scrollTop).toBe(contentPx - VIEW_PX);
});
