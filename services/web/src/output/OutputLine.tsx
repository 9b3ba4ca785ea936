import type { CSSProperties, ReactNode } from "react";
import { formatClock } from "../time/instant";
import type { Line } from "./lines";
import type { Colour, Style } from "./styles";

interface Props {
  line: Line;
  stamped: boolean;
  sought: string; // in small letters; "": nothing
  current: boolean; // the match that was gone to
}

/** One line, drawn as the text it is: what a program writes can be coloured, and nothing else. */
export function OutputLine({ line, stamped, sought, current }: Props) {
  return (
    <div className={`line line-${line.stream}${current ? " line-current" : ""}`}>
      <span className="line-number">{line.number}</span>
      {stamped && <time className="line-time">{formatClock(line.at)}</time>}
      <span className="line-stream">{line.stream === "stderr" ? "err" : ""}</span>
      <span className="line-text">
        {parts(line, sought)}
        {line.cut > 0 && <span className="line-cut"> … {line.cut.toLocaleString("en")} more characters</span>}
      </span>
    </div>
  );
}

/** The text in pieces of one look each: by its spans, and by where the text that is sought stands. */
function parts({ text, spans }: Line, sought: string): ReactNode {
  const hits = sought === "" ? [] : occurrences(text, sought);
  if (spans === null && hits.length === 0) return text;
  const cuts = new Set([0, text.length]);
  for (const { start } of spans ?? []) cuts.add(start);
  for (const hit of hits) cuts.add(hit).add(hit + sought.length);
  const ends = [...cuts].filter((cut) => cut <= text.length).sort((a, b) => a - b);
  return ends.slice(0, -1).map((start, index) => {
    const piece = text.slice(start, ends[index + 1]);
    const style = spans?.findLast((span) => span.start <= start)?.style ?? null;
    const found = hits.some((hit) => hit <= start && start < hit + sought.length);
    const look = style && <span key={start} className={classesOf(style)} style={coloursOf(style)}>{piece}</span>;
    return found ? <mark key={start}>{look ?? piece}</mark> : (look ?? piece);
  });
}

function occurrences(text: string, sought: string): number[] {
  const low = text.toLowerCase();
  if (low.length !== text.length) return []; // a letter whose small form is longer: places would be off
  const found: number[] = [];
  for (let at = low.indexOf(sought); at >= 0; at = low.indexOf(sought, at + sought.length)) found.push(at);
  return found;
}

function classesOf({ fg, bg, ...rest }: Style): string {
  const names = Object.keys(rest).map((name) => `ansi-${name}`);
  if (fg !== undefined) names.push(typeof fg === "number" ? `ansi-fg-${fg}` : "ansi-fg-own");
  if (bg !== undefined) names.push(typeof bg === "number" ? `ansi-bg-${bg}` : "ansi-bg-own");
  return names.join(" ");
}

function coloursOf({ fg, bg }: Style): CSSProperties {
  const own = (name: string, colour: Colour | undefined) => (typeof colour === "string" ? { [name]: colour } : {});
  return { ...own("--own-fg", fg), ...own("--own-bg", bg) };
}
