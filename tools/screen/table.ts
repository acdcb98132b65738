/**
 * The table of a view, fitted to a width. Columns stand in the order of their importance: where there is no room the last ones are left out,
 * whole. A bar at the end takes what is left over, if that is enough for one.
 */
import { clip, widthOf } from "./text.ts";

export interface Row {
  name: string;
  status: string;
  step: number;
  /** 0: nothing is under way. */
  n: number;
  /** 0: there is none. */
  attempt: number;
  /** What else there is to tell, by its title; the most important first. The same titles in each row of a table. */
  more: Record<string, string>;
}

/** `color`: of a terminal. */
export type Paint = (color: number, text: string) => string;

interface Column {
  title: string;
  cells: string[];
  /** Below each other, digit by digit. */
  isNumber?: boolean;
  paint?: (text: string) => string;
}

const mostBar = 24;
const leastBar = 8;
const grey = 90;

const colors: Record<string, number> = {
  ...{ completed: 32, running: 36, pending: grey, failed: 31, canceled: 31 },
  // Of nodes.
  ...{ idle: grey, frozen: 34, cut: 33, "frozen+cut": 35 },
};

/** A line of titles and one per row; nothing where there are no rows. No line is wider than `width`. */
export function tableOf(rows: readonly Row[], width: number, paint: Paint): string[] {
  if (rows.length === 0) return [];
  const columns = columnsOf(rows, paint);
  const widths = columns.map(({ title, cells }) => Math.max(...[title, ...cells].map(widthOf)));
  const needed = (count: number, gap: number) =>
    widths.slice(0, count).reduce((sum, one) => sum + one, 0) + gap * (count - 1);
  let count = columns.length;
  while (count > 1 && needed(count, 1) > width) count--;
  const gap = needed(count, 2) <= width ? 2 : 1;
  const left = count < columns.length ? 0 : width - needed(count, gap) - gap;

  const line = (cellOf: (column: Column) => string, decorate: (column: Column, text: string) => string) =>
    columns.slice(0, count).map((column, i) => {
      const text = clip(cellOf(column), width);
      const blanks = " ".repeat(Math.max(0, (widths[i] ?? 0) - widthOf(text)));
      return decorate(column, column.isNumber ? blanks + text : text + blanks);
    });
  const joined = (cells: string[]) => cells.join(" ".repeat(gap));
  const titles = joined(
    line(
      ({ title }) => title,
      (_, text) => text,
    ),
  ).trimEnd();
  return [
    ...(titles === "" ? [] : [paint(grey, titles)]),
    ...rows.map((row, at) => {
      const cells = line(
        ({ cells }) => cells[at] ?? "",
        ({ paint = (text) => text }, text) => paint(text),
      );
      if (left >= leastBar && row.n > 0) cells.push(bar(row, Math.min(left, mostBar)));
      return joined(cells).trimEnd();
    }),
  ];
}

/** By importance. Without those that have nothing to tell of any row. */
function columnsOf(rows: readonly Row[], paint: Paint): Column[] {
  const more = Object.keys(rows[0]?.more ?? {}).map((title) => ({
    title,
    cells: rows.map((row) => row.more[title] ?? ""),
    isNumber: rows.every((row) => /^[\d.]*$/.test(row.more[title] ?? "")),
  }));
  const columns: Column[] = [
    { title: "", cells: rows.map(({ name }) => name) },
    {
      title: "status",
      cells: rows.map(({ status }) => status),
      paint: (text) => paint(colors[text.trim()] ?? 0, text),
    },
    { title: "step", cells: rows.map(({ step, n }) => (n > 0 ? `${step}/${n}` : "")), isNumber: true },
    { title: "run", cells: rows.map(({ attempt }) => (attempt > 0 ? `${attempt}` : "")), isNumber: true },
    ...more,
  ];
  return columns.filter(({ cells }) => cells.some((cell) => cell !== ""));
}

function bar({ step, n }: Row, width: number): string {
  const full = Math.round((step / n) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}
