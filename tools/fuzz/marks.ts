/** Whether anything of a refused request is found again. */
import { Random } from "../../test/simulation/world/random.ts";
import type { Caller } from "./callers.ts";
import type { Document } from "./document.ts";
import { callPatiently, parsed } from "./patient.ts";

/** Stands in every free text of one request, in nobody else's data, also when a database has seen other runs. */
export class Marks {
  readonly run: string;
  /** Of requests that were refused. */
  readonly refused = new Set<string>();
  #made = 0;

  constructor(seed: number) {
    this.run = `fz${seed.toString(36)}r${Date.now().toString(36)}n`;
  }

  next(): string {
    return `${this.run}${(this.#made++).toString(36)}q`;
  }

  /** Those of refused requests. */
  refusedIn(text: string): string[] {
    const marks = [...text.matchAll(new RegExp(`${this.run}[0-9a-z]+q`, "g"))].map(([mark]) => mark);
    return marks.filter((mark) => this.refused.has(mark));
  }
}

/** Reads every list to its end, and what hangs on some known things, and tells of each mark that should not be there. */
export async function searchMarks(
  url: string,
  { operations }: Document,
  { headers, memory }: Caller,
  marks: Marks,
): Promise<string[]> {
  const found = new Set<string>();
  for (const { method, path, parameters, responses } of operations) {
    const needed = parameters.filter(({ required }) => required);
    if (method !== "GET" || responses.has("101") || needed.some((parameter) => parameter.in !== "path"))
      continue;
    const known = needed.length === 0 ? {} : memory.recall(path, new Random(found.size))?.facts;
    if (!known) continue;
    const filled = path.replaceAll(/{(\w+)}/g, (_all, name: string) =>
      encodeURIComponent(String(known[name] ?? "none")),
    );
    const long = ["page_size", "limit"].filter((name) =>
      parameters.some((parameter) => parameter.name === name),
    );
    const sizes = long.map((name): [string, string] => [name, "500"]);
    let cursor: [string, string][] = [];
    // More pages than any run writes.
    for (let page = 0; page < 1000; page++) {
      const query = [...sizes, ...cursor];
      const answer = await callPatiently(url, { method, path: filled, query, headers });
      for (const mark of marks.refusedIn(answer.text))
        found.add(`GET ${filled} shows ${mark}, of a request that was refused`);
      const next = (parsed(answer.text) as { next_cursor?: unknown } | null)?.next_cursor;
      if (typeof next !== "string") break;
      cursor = [["cursor", next]];
    }
  }
  return [...found];
}
