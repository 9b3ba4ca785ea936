import { describe, expect, test } from "vitest";
import type { Stream } from "../api/types";
import { LineBuffer, MAX_CHARACTERS, MAX_LINE_LENGTH } from "./lines";

function written(...pieces: [Stream, string][]): LineBuffer {
  const buffer = new LineBuffer();
  for (const [seq, [stream, text]] of pieces.entries()) buffer.append({ seq, stream, at: `t${seq}`, text });
  return buffer;
}

const texts = (buffer: LineBuffer): string[] => buffer.lines.map((line) => line.text);

describe("lines from chunks", () => {
  test("a line in three pieces is one line, stamped with its first piece", () => {
    const buffer = written(["stdout", "he"], ["stdout", "ll"], ["stdout", "o\nnext"]);
    expect(texts(buffer)).toEqual(["hello", "next"]);
    expect(buffer.lines.map((line) => [line.number, line.at])).toEqual([
      [1, "t0"],
      [2, "t2"],
    ]);
  });

  test("a piece of stderr within a line of stdout does not tear it", () => {
    const buffer = written(["stdout", "hel"], ["stderr", "oops\n"], ["stdout", "lo\n"], ["stderr", "again"]);
    expect(buffer.lines.map((line) => [line.stream, line.text])).toEqual([
      ["stdout", "hello"],
      ["stderr", "oops"],
      ["stderr", "again"],
    ]);
  });

  test("empty lines are kept, and a last newline begins no line", () => {
    expect(texts(written(["stdout", "a\n\n\nb\n"]))).toEqual(["a", "", "", "b"]);
    expect(texts(written(["stdout", "a\n"], ["stdout", "\n"], ["stdout", "b"]))).toEqual(["a", "", "b"]);
  });
});

test("what changed is told once: the first line that may be other", () => {
  const buffer = written(["stdout", "a\nb"], ["stderr", "c\n"]);
  buffer.takeChanged();
  expect(buffer.takeChanged()).toBe(4);
  buffer.append({ seq: 3, stream: "stdout", at: "t3", text: "b" });
  expect(buffer.takeChanged()).toBe(2);
  buffer.append({ seq: 4, stream: "stderr", at: "t4", text: "d" });
  expect(buffer.takeChanged()).toBe(4);
});

test("colours are kept beside the text, over pieces, and a rewritten line begins anew", () => {
  const [line] = written(["stdout", "ok \x1b[31mfai"], ["stdout", "led\x1b[0m."]).lines;
  expect(line).toMatchObject({
    text: "ok failed.",
    spans: [
      { start: 0, style: null },
      { start: 3, style: { fg: 1 } },
      { start: 9, style: null },
    ],
  });
  expect(written(["stdout", "plain\n"]).lines[0]?.spans).toBeNull();
  expect(written(["stdout", "\x1b[1m10%\r\x1b[0m20%"]).lines[0]).toMatchObject({ text: "20%", spans: null });
});

describe("carriage returns", () => {
  test("before a newline they are part of it, also when a chunk ends between", () => {
    expect(texts(written(["stdout", "a\r\nb\r\n"]))).toEqual(["a", "b"]);
    expect(texts(written(["stdout", "a\r"], ["stdout", "\nb"]))).toEqual(["a", "b"]);
  });

  test("alone they rewrite the line, as progress bars do", () => {
    expect(texts(written(["stdout", "10%\r55%\r100%\n"]))).toEqual(["100%"]);
    expect(texts(written(["stdout", "10%\r"]))).toEqual(["10%"]);
    expect(texts(written(["stdout", "10%\r"], ["stdout", "20%"]))).toEqual(["20%"]);
  });
});

describe("bounds", () => {
  test("old lines go, their numbers stay with the rest", () => {
    const buffer = new LineBuffer(10);
    for (let seq = 0; seq < 40; seq++) buffer.append({ seq, stream: "stdout", at: "", text: `line ${seq + 1}\n` });
    expect(buffer.lines.length).toBeGreaterThanOrEqual(10);
    expect(buffer.lines.length).toBeLessThanOrEqual(11);
    expect(buffer.lines.at(-1)).toMatchObject({ number: 40, text: "line 40" });
    expect(buffer.dropped + buffer.lines.length).toBe(40);
    expect(buffer.lines[0]?.number).toBe(buffer.dropped + 1);
  });

  test("a line that is written on after it went is not mistaken for another", () => {
    const buffer = new LineBuffer(10);
    buffer.append({ seq: 0, stream: "stderr", at: "", text: "begun" });
    for (let seq = 1; seq < 40; seq++) buffer.append({ seq, stream: "stdout", at: "", text: `line ${seq}\n` });
    const before = texts(buffer);
    buffer.append({ seq: 40, stream: "stderr", at: "", text: " and ended\n" });
    expect(texts(buffer)).toEqual(before);
  });

  test("a line without end is cut, and says by how much", () => {
    const buffer = written(["stdout", "x".repeat(MAX_LINE_LENGTH)], ["stdout", "yy"], ["stdout", "z\nshort"]);
    expect(buffer.lines.map((line) => [line.text.length, line.cut])).toEqual([
      [MAX_LINE_LENGTH, 3],
      [5, 0],
    ]);
    expect(buffer.longest).toBe(MAX_LINE_LENGTH);
  });

  test("a line of 100 MB is one short line that says how much of it is not shown", () => {
    const buffer = new LineBuffer();
    const text = "x".repeat(32_768);
    for (let seq = 0; seq < 3_200; seq++) buffer.append({ seq, stream: "stdout", at: "", text });
    expect(buffer.lines.map((line) => [line.text.length, line.cut])).toEqual([
      [MAX_LINE_LENGTH, 3_200 * 32_768 - MAX_LINE_LENGTH],
    ]);
  });

  test("many long lines are bounded by their characters", () => {
    const buffer = new LineBuffer();
    const count = 20_000;
    const long = "y".repeat(5_000);
    let most = 0;
    for (let seq = 0; seq < count; seq++) {
      buffer.append({ seq, stream: "stdout", at: "", text: `${seq} ${long}\n` });
      if (seq % 500 === 0) most = Math.max(most, charactersOf(buffer));
    }
    expect(most).toBeGreaterThan(MAX_CHARACTERS * 0.9);
    expect(most).toBeLessThanOrEqual(MAX_CHARACTERS * 1.1 + MAX_LINE_LENGTH);
    expect(buffer.lines.at(-1)).toMatchObject({ number: count });
    expect(buffer.lines[0]?.number).toBe(buffer.dropped + 1);
    expect(buffer.lines.every((line) => line.text.startsWith(`${line.number - 1} y`))).toBe(true);
  });

  test("one line that grows by many pieces counts once", () => {
    const buffer = new LineBuffer();
    for (let seq = 0; seq < 30_000; seq++) buffer.append({ seq, stream: "stdout", at: "", text: `${seq % 10}`.repeat(3_000) });
    for (let seq = 0; seq < 10; seq++) buffer.append({ seq, stream: "stderr", at: "", text: `line ${seq}\n` });
    expect(buffer.lines.length).toBe(11);
  });
});

const charactersOf = (buffer: LineBuffer): number => buffer.lines.reduce((sum, line) => sum + line.text.length, 0);

test("at the end what was held back is shown", () => {
  const buffer = written(["stdout", "odd\x1b["]);
  buffer.end("later");
  expect(texts(buffer)).toEqual(["odd␛["]);
});
