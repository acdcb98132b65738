/** What a view shows in windows of all sizes, and what it writes to a terminal. */
import { describe, expect, test } from "vitest";
import { frameOf, type View } from "../../tools/screen/frame.ts";
import { type Row, tableOf } from "../../tools/screen/table.ts";
import { clip, fold, widthOf } from "../../tools/screen/text.ts";
import { type Terminal, TerminalScreen } from "../../tools/screen.ts";

const plain = (_: number, text: string) => text;

/** The widest that the lab has: a state, steps, a cost and a line of the most characters. */
const widest: Row = {
  ...{ name: "20e6bce9", status: "downloading", step: 19, n: 24, attempt: 123 },
  more: { job: "sum-001", cost: "100000", speed: "0.94", "kbit/s": "734↑868↓" },
};
const usual: Row = {
  ...{ name: "71820a2d", status: "idle", step: 0, n: 0, attempt: 0 },
  more: { job: "", cost: "0", speed: "1.00", "kbit/s": "39↑150↓" },
};
const view: View = {
  elapsed: "  61.9 s",
  summary: "running, replicas 6, 6 running; jobs: 1 pending, 6 leased (1 by nodes that are gone), 5 done",
  chart: (width) => "█".repeat(Math.max(0, width)),
  rows: [usual, ...Array.from({ length: 6 }, () => widest)],
  events: [
    { elapsed: "  28.8 s", text: "burst 1: 12 jobs" },
    {
      elapsed: "  60.8 s",
      text: "⛔ a report of node-01 is refused (completed of attempt 3: lease_superseded)",
    },
  ],
};
const titles = ["status", "step", "run", "job", "cost", "speed", "kbit/s"];
const words = (line: string | undefined) => (line ?? "").trim().split(/ +/);

describe("the table", () => {
  test("at 60 columns it has all that it has to tell", () => {
    const [head, first, second] = tableOf([usual, widest], 60, plain);
    expect(words(head)).toEqual(titles);
    expect(words(first)).toEqual(["71820a2d", "idle", "0", "1.00", "39↑150↓"]);
    const all = ["20e6bce9", "downloading", "19/24", "123", "sum-001", "100000", "0.94", "734↑868↓"];
    expect(words(second)).toEqual(all);
  });

  test("what it has no room for is left out whole, the least important first", () => {
    const full = words(tableOf([widest], 60, plain)[1]);
    const widths = full.map((cell, i) => Math.max(cell.length, titles[i - 1]?.length ?? 0));
    for (let width = 8; width < 60; width++) {
      const table = tableOf([widest], width, plain);
      const shown = words(table.at(-1));
      expect(shown.length).toBeLessThanOrEqual(full.length);
      expect(shown).toEqual(full.slice(0, shown.length));
      if (shown.length > 1) expect(words(table[0])).toEqual(titles.slice(0, shown.length - 1));
      // Not more than it must.
      const wider = widths.slice(0, shown.length + 1).reduce((sum, one) => sum + one + 1, -1);
      if (shown.length < full.length) expect(wider).toBeGreaterThan(width);
    }
  });

  test("the bar is as wide as there is room, and where it would be too short it is none", () => {
    const barAt = (width: number) => /[█░]*$/.exec(tableOf([widest], width, plain)[1] ?? "")?.[0].length;
    expect([60, 66, 80, 130, Number.POSITIVE_INFINITY].map(barAt)).toEqual([0, 0, 11, 24, 24]);
    expect(tableOf([{ ...widest, step: 12 }], 80, plain)[1]).toMatch(/ ██████░░░░░$/);
  });

  test("a column of which no row has anything is none", () => {
    const nodes = [{ ...usual, status: "cut", more: { job: "" } }];
    expect(tableOf(nodes, 80, plain)).toEqual(["          status", "71820a2d  cut"]);
    expect(tableOf([], 80, plain)).toEqual([]);
  });

  test("colours take no room", () => {
    const painted = tableOf([usual, widest], 60, (color, text) => `<${color}>${text}</>`);
    const bare = painted.map((line) => line.replace(/<.*?>/g, "").trimEnd());
    expect(bare).toEqual(tableOf([usual, widest], 60, plain));
    expect(painted[1]).toContain("<90>idle       </>");
  });
});

describe("a frame", () => {
  test.each([1, 5, 12, 30, 50, 60, 80, 130])("no line is wider than %i columns", (columns) => {
    for (const rows of [1, 2, 5, 10, 24]) {
      const frame = frameOf(view, { columns, rows }, plain);
      expect(frame.length).toBeLessThan(rows);
      expect(frame.filter((line) => widthOf(line) > columns)).toEqual([]);
    }
  });

  test("at 60 columns nothing is missing, and the chart takes a line", () => {
    const frame = frameOf(view, { columns: 60, rows: 24 }, plain);
    const text = frame.join(" ").replace(/ +/g, " ");
    expect(text).toContain(`61.9 s ${view.summary}`);
    expect(frame).toContain("█".repeat(60));
    for (const event of view.events) expect(text).toContain(event.text);
    expect(text).not.toContain("…");
  });

  test("a low window has the first rows and says how many there are besides", () => {
    const frame = frameOf(view, { columns: 60, rows: 8 }, plain);
    expect(frame.slice(-4)).toEqual([
      expect.stringMatching(/^ +status/),
      expect.stringMatching(/^71820a2d/),
      expect.stringMatching(/^20e6bce9/),
      "… and 5 more",
    ]);
  });

  test("where not all events have room the newest have, whole", () => {
    const [latest] = view.events.slice(-1);
    const long = { elapsed: "  59.0 s", text: `${latest?.text}, and something before` };
    const events = [long, ...view.events.slice(-1)];
    const frame = frameOf({ ...view, rows: [], events }, { columns: 60, rows: 8 }, plain);
    // There is room for three lines, and each takes two.
    expect(frame.slice(3, 4)).toEqual([""]);
    expect(frame.slice(4).join(" ").replace(/ +/g, " ").trim()).toBe(
      `${latest?.elapsed} ${latest?.text}`.trim(),
    );
  });
});

describe("text", () => {
  test("is folded after commas, else between words, else cut with a mark", () => {
    expect(fold("1 s  ", "one two, three four", 15)).toEqual(["1 s  one two,", "     three four"]);
    expect(fold("1 s  ", "one two three", 15)).toEqual(["1 s  one two", "     three"]);
    expect(fold("   1.0 s  ", "running, idle", 12)).toEqual(["   1.0 s", "  running,", "  idle"]);
    expect(fold("", "abcdefgh", 6)).toEqual(["abcde…"]);
  });

  test("an emoji takes two columns", () => {
    expect(widthOf("⛔ a")).toBe(4);
    expect([clip("⛔⛔", 4), clip("⛔⛔", 3), clip("⛔⛔", 2), clip("ab", 0)]).toEqual([
      "⛔⛔",
      "⛔…",
      "…",
      "",
    ]);
  });
});

/** Keeps what was written since the last look. */
class NotedTerminal implements Terminal {
  columns = 60;
  rows = 24;
  #written = "";
  readonly listeners = new Set<() => void>();

  write(text: string): void {
    this.#written += text;
  }
  on(_: "resize", listener: () => void): void {
    this.listeners.add(listener);
  }
  off(_: "resize", listener: () => void): void {
    this.listeners.delete(listener);
  }
  resize(columns: number): void {
    this.columns = columns;
    for (const listener of this.listeners) listener();
  }
  taken(): string {
    const written = this.#written;
    this.#written = "";
    return written;
  }
}

describe("a terminal", () => {
  const clear = "\x1b[H\x1b[2J";

  test("is drawn over in place, and all anew once its size is another", () => {
    const terminal = new NotedTerminal();
    const screen = new TerminalScreen(Date.now(), terminal);
    screen.show([usual], "running");
    expect(terminal.taken()).not.toContain(clear);
    screen.show([usual], "running");
    const again = terminal.taken();
    expect(again).not.toContain(clear);
    expect(again).toContain("\x1b[3A");
    terminal.resize(50);
    const resized = terminal.taken();
    expect(resized).toContain(clear);
    expect(resized).toContain("71820a2d");
    screen.show([usual], "running");
    expect(terminal.taken()).not.toContain(clear);
  });

  test("has its cursor and its wrapping after each drawing, and is left alone after the last", () => {
    const terminal = new NotedTerminal();
    const screen = new TerminalScreen(Date.now(), terminal);
    terminal.resize(70);
    expect(terminal.taken()).toBe("");
    screen.event("burst 1: 12 jobs");
    screen.show([usual], "running", (width) => `replicas ${"█".repeat(width - 9)}`);
    const drawn = terminal.taken();
    expect(drawn.endsWith("\x1b[?7h\x1b[?25h")).toBe(true);
    expect(drawn).toContain("burst 1: 12 jobs");
    expect(drawn).toContain(`replicas ${"█".repeat(61)}\n`);
    screen.close();
    terminal.taken();
    terminal.resize(60);
    expect(terminal.taken()).toBe("");
  });
});
