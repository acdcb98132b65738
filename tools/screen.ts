/** The live view. On a terminal a table that redraws itself; elsewhere a line per event, and the table now and then. */

export interface Row {
  name: string;
  status: string;
  step: number;
  n: number;
  attempt: number;
  machine: string;
}

export interface Screen {
  event(text: string): void;
  /** An event that the table shows anyway: only told where the table is shown now and then. */
  note(text: string): void;
  show(rows: Row[], summary: string): void;
  /** Leaves the terminal as it was; what was shown last stays. */
  close(): void;
}

const barWidth = 24;
const eventsShown = 12;
const plainTableEveryMs = 10_000;

const colors: Record<string, number> = {
  ...{ completed: 32, running: 36, pending: 90, failed: 31, canceled: 31 },
  // Of nodes.
  ...{ idle: 90, frozen: 34, cut: 33, "frozen+cut": 35 },
};
const paint = (color: number, text: string) => `\x1b[${color}m${text}\x1b[0m`;

export function openScreen(startedMs: number): Screen {
  return process.stdout.isTTY ? new TerminalScreen(startedMs) : new PlainScreen(startedMs);
}

function elapsed(startedMs: number): string {
  return `${((Date.now() - startedMs) / 1000).toFixed(1).padStart(6)} s`;
}

function bar(step: number, n: number): string {
  const full = n === 0 ? 0 : Math.round((step / n) * barWidth);
  return "█".repeat(full) + "░".repeat(barWidth - full);
}

function tableLine(row: Row, decorate: (status: string) => string): string {
  const progress = `${String(row.step).padStart(3)}/${String(row.n).padEnd(3)}`;
  const attempt = row.attempt > 0 ? `attempt ${row.attempt}` : "";
  return `${row.name}  ${bar(row.step, row.n)} ${progress} ${decorate(row.status.padEnd(10))} ${attempt.padEnd(10)} ${row.machine}`;
}

class TerminalScreen implements Screen {
  readonly #startedMs: number;
  readonly #events: string[] = [];
  #drawnLines = 0;

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
    process.stdout.write("\x1b[?25l"); // Hides the cursor.
  }

  event(text: string): void {
    this.#events.push(`${elapsed(this.#startedMs)}  ${text}`);
  }

  note(): void {}

  show(rows: Row[], summary: string): void {
    const table = rows.map((row) => tableLine(row, (status) => paint(colors[status.trim()] ?? 0, status)));
    // Beyond the window's height the cursor cannot go back: the oldest events give way.
    const room = Math.max(0, (process.stdout.rows ?? 40) - table.length - 4);
    const events = room === 0 ? [] : this.#events.slice(-Math.min(room, eventsShown));
    const lines = [`${elapsed(this.#startedMs)}  ${summary}`, ...table, "", ...events];
    const back = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A` : "";
    // Long lines are cut, not wrapped: a wrapped one would count as two.
    const body = lines.map((line) => `\x1b[2K${line}`).join("\n");
    process.stdout.write(`\x1b[?7l${back}\r${body}\n\x1b[J\x1b[?7h`);
    this.#drawnLines = lines.length;
  }

  close(): void {
    process.stdout.write("\x1b[?25h\n");
  }
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
    console.log(`${rows.map((row) => tableLine(row, (status) => status)).join("\n")}\n`);
  }

  close(): void {
    console.log("");
  }
}
