/** A line of the progress file, and what is wrong with one that tells no progress: for a person, in words and without quoting it. */
import { Progress } from "../../../src/contract/index.ts";
import { parseJson } from "../parse-json.ts";

export type ReadProgress = { ok: true; progress: Progress } | { ok: false; reason: string };

const wanted: Record<keyof Progress, string> = {
  step: "a number from 0",
  total: "a number from 0, or null",
  message: "text, or null",
};

export function readProgress(line: string): ReadProgress {
  const json = parseJson(line);
  const parsed = Progress.safeParse(json);
  return parsed.success
    ? { ok: true, progress: parsed.data }
    : { ok: false, reason: reasonOf(json, parsed.error.issues[0]?.path[0]) };
}

function reasonOf(json: unknown, field: PropertyKey | undefined): string {
  if (json === undefined) return "not JSON";
  if (field === undefined) return 'not an object such as {"step": 3}';
  const name = String(field) as keyof Progress;
  if (!Object.hasOwn(json as object, name)) return `without "${name}"`;
  return `"${name}" must be ${wanted[name]}`;
}
