/** The live view. On a terminal a table that redraws itself; elsewhere a line per event, and the table now and then. */
import { type Event, frameOf, type View } from "./screen/frame.ts";
import { type Row, tableOf } from "./screen/table.ts";

export interface Screen {
  event(text: string): void;
  /** An event that the table shows anyway: only told where the table is shown now and then. */
  note(text: string): void;
  /** `chart`: something over time, in a line of at most so many columns; on a terminal alone. */
  show(rows: Row[], summary: string, chart?: View["chart"]): void;
  /** Leaves the terminal as it was; what was shown last stays. */
  close(): void;
}

/** What a terminal is to whoever draws on it: `process.stdout`. */
export interface Terminal {
  /** 0 where it does not say. */
  columns: number;
  rows: number;
  write(text: string): void;
  on(event: "resize", listener: () => void): void;
  off(event: "resize", listener: () => void): void;
}

const plainTableEveryMs = 10_000;
/** Older ones are never shown. */
const keptEvents = 50;

export function openScreen(startedMs: number): Screen {
  return process.stdout.isTTY ? new TerminalScreen(startedMs, process.stdout) : new PlainScreen(startedMs);
}

function elapsed(startedMs: number): string {
  return `${((Date.now() - startedMs) / 1000).toFixed(1).padStart(6)} s`;
}

export class TerminalScreen implements Screen {
  readonly #startedMs: number;
  readonly #terminal: Terminal;
  #events: Event[] = [];
  #view: View | undefined;
  #drawn = { lines: 0, columns: 0, rows: 0 };

  constructor(startedMs: number, terminal: Terminal) {
    this.#startedMs = startedMs;
    this.#terminal = terminal;
    terminal.on("resize", this.#draw);
  }

  event(text: string): void {
    this.#events = [...this.#events, { elapsed: elapsed(this.#startedMs), text }].slice(-keptEvents);
  }

  note(): void {}

  show(rows: Row[], summary: string, chart?: View["chart"]): void {
    this.#view = { elapsed: elapsed(this.#startedMs), summary, chart, rows, events: this.#events };
    this.#draw();
  }

  close(): void {
    this.#terminal.off("resize", this.#draw);
    this.#terminal.write("\n");
  }

  readonly #draw = () => {
    if (!this.#view) return;
    const columns = this.#terminal.columns || 80;
    const rows = this.#terminal.rows || 24;
    const lines = frameOf(this.#view, { columns, rows }, (color, text) => `\x1b[${color}m${text}\x1b[0m`);
    const drawn = this.#drawn;
    this.#drawn = { lines: lines.length, columns, rows };
    // Another window has broken the old lines anew, and nobody knows where they begin: all of it is drawn again, from the top.
    const isResized = drawn.lines > 0 && (drawn.columns !== columns || drawn.rows !== rows);
    const up = drawn.lines > 0 ? `\x1b[${drawn.lines}A` : "";
    const body = lines.map((line) => `\x1b[2K${line}\n`).join("");
    // Without a cursor and without wrapping while it draws, and only then: who is killed in between leaves a terminal as it should be.
    this.#terminal.write(
      `\x1b[?25l\x1b[?7l${isResized ? "\x1b[H\x1b[2J" : up}\r${body}\x1b[J\x1b[?7h\x1b[?25h`,
    );
  };
}

class PlainScreen implements Screen {
  readonly #startedMs: number;
  #shownMs = Date.now();

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  event(text: string): void {
    console.log(`${elapsed(this.#startedMs)}  ${text}`);
  }

  note(text: string): void {
    this.event(text);
  }

  show(rows: Row[], summary: string): void {
    if (Date.now() - this.#shownMs < plainTableEveryMs) return;
    this.#shownMs = Date.now();
    console.log(`\n${elapsed(this.#startedMs)}  ${summary}`);
    console.log(`${tableOf(rows, Number.POSITIVE_INFINITY, (_, text) => text).join("\n")}\n`);
  }

  close(): void {
    console.log("");
  }
}
