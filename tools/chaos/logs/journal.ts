/** An append-only file of JSON lines. Each line is on its way to the disk before the next thing happens. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { z } from "zod";

export class Journal<Entry> {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  append(entry: Entry): void {
    appendFileSync(this.path, `${JSON.stringify(entry)}\n`);
  }
}

/** All of its entries. @throws where a line is none: nobody but us writes here. */
export function readJournal<Schema extends z.ZodType>(path: string, schema: Schema): z.infer<Schema>[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => schema.parse(JSON.parse(line)));
}
