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
