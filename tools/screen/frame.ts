/** All that a terminal shows at one moment, fitted to its window: summary, chart, table, and of the events the newest. Pure. */
import { type Paint, type Row, tableOf } from "./table.ts";
import { clip, fold } from "./text.ts";

export interface View {
  /** Since the start, in words. */
  elapsed: string;
  summary: string;
  /** Something over time, in a line of at most so many columns. */
  chart?: ((width: number) => string) | undefined;
  rows: readonly Row[];
  /** Oldest first. */
  events: readonly Event[];
}

export interface Event {
  elapsed: string;
  text: string;
}

export interface Window {
  columns: number;
  rows: number;
}

const eventLines = 12;

/** No line is wider than the window, and there is one less than it has rows: the cursor stands below them. */
export function frameOf(
  { elapsed, summary, chart, rows, events }: View,
  window: Window,
  paint: Paint,
): string[] {
  const { columns } = window;
  const height = Math.max(0, window.rows - 1);
  const head = [...fold(`${elapsed}  `, summary, columns), ...(chart ? [clip(chart(columns), columns)] : [])];
  const table = cut(tableOf(rows, columns, paint), Math.max(0, height - head.length), columns);
  const room = Math.min(eventLines, height - head.length - table.length - 1);
  return [...head, ...table, ...newest(events, room, columns)].slice(0, height);
}

/** The first rows, and how many there are besides. */
function cut(table: string[], room: number, columns: number): string[] {
  if (table.length <= room) return table;
  const shown = table.slice(0, Math.max(0, room - 1));
  return [...shown, clip(`… and ${table.length - shown.length} more`, columns)];
}

/** After an empty line, each of them whole. */
function newest(events: readonly Event[], room: number, columns: number): string[] {
  let lines: string[] = [];
  for (const { elapsed, text } of events.toReversed()) {
    const longer = [...fold(`${elapsed}  `, text, columns), ...lines];
    if (longer.length > room) break;
    lines = longer;
  }
  return lines.length === 0 ? [] : ["", ...lines];
}
