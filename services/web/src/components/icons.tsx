/** Inline drawings; decoration beside a text that says the same. */

const PATHS = {
  play: "M5 3.5v9l7.5-4.5z",
  resume: "M3.5 3.5v9M7 3.5v9l6-4.5z",
  pause: "M5 3.5v9M11 3.5v9",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM14 14l-3.4-3.4",
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.8V8l2.2 1.4",
  stop: "M4.5 4.5h7v7h-7z",
  question: "M5.8 6a2.2 2.2 0 1 1 3.3 1.9c-.8.4-1.1.9-1.1 1.7M8 12.2v.1",
  down: "M8 3v9.5M4 8.5l4 4 4-4",
  alert: "M8 2 1.8 13h12.4zM8 6.5v3M8 11.4v.1",
  back: "M9.5 3.5 5 8l4.5 4.5",
  forward: "M6.5 3.5 11 8l-4.5 4.5",
  up: "M8 12.5V3M4 7l4-4 4 4",
  overview: "M2.5 2.5h4.5v6h-4.5zM9 2.5h4.5v3.5H9zM9 8.5h4.5v5H9zM2.5 11h4.5v2.5h-4.5z",
  jobs: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.1M2.5 8h.1M2.5 12h.1",
  runs: "M1.5 8h3l2-5 3 10 2-5h3",
  timeline: "M2 4h5M5 8h7M9 12h5M2 2v12",
  workers: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1",
  audit: "M4 1.5h5.5L12.5 4.5v10H4zM6.5 7.5h3.5M6.5 10.5h3.5",
  lock: "M4 7.5h8v6.5H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  person: "M8 7.5a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5zM2.5 14a5.5 5.5 0 0 1 11 0",
  people: "M6 7.5A2.5 2.5 0 1 0 6 2.5a2.5 2.5 0 0 0 0 5zM1.5 13.5a4.5 4.5 0 0 1 9 0M10.5 2.8a2.5 2.5 0 0 1 0 4.4M12 9.5a4.5 4.5 0 0 1 2.5 4",
  leave: "M9.5 2.5h-6v11h6M7 8h7M11.5 5.5 14 8l-2.5 2.5",
  key: "M5 13.5a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5zM7 8.8 13 2.8M10.5 5.3 13 7.8",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  auto: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 2v12M10 3v10M12 4.5v7",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  plus: "M8 3v10M3 8h10",
  trash: "M3 4.5h10M6.5 4V2.5h3V4M4.5 4.5l.5 9h6l.5-9M6.7 7v4M9.3 7v4",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  edit: "M3 13l.5-3L10.5 3l2.5 2.5L6 12.5zM9 4.5 11.5 7",
  revert: "M5 3 2 6l3 3M2.5 6H10a4 4 0 0 1 0 8H6",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  wrap: "M2 4h12M2 8h9.5a2.25 2.25 0 0 1 0 4.5H8M9.8 10.5 7.8 12.5l2 2M2 12h3",
  filter: "M2 3.5h12L9.5 8.5v5l-3-1.5V8.5z",
  sort: "M5 2.5v11M2.5 11 5 13.5 7.5 11M11 13.5v-11M8.5 5 11 2.5 13.5 5",
} as const;

export type IconName = keyof typeof PATHS | "spinner";

export function Icon({ name }: { name: IconName }) {
  const path = name === "spinner" ? "M8 2a6 6 0 1 1-6 6" : PATHS[name];
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <circle cx="16" cy="16" r="10" strokeDasharray="50 13" transform="rotate(-30 16 16)" />
      <path d="M16 10v6l4.5 3" />
    </svg>
  );
}
