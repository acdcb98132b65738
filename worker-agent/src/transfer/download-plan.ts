/** Which object becomes which file: decided, and refused if need be, before the first byte is written. */
import { join, resolve } from "node:path";
import type { DownloadRule } from "../../../src/contract/index.ts";
import { Refused } from "./failures.ts";
import { isOwnFile } from "./object-key.ts";
import type { ListedObject, ObjectReader, ObjectStore } from "./object-store.ts";
import { patternOf } from "./patterns/rule-pattern.ts";

export interface PlannedDownload {
  store: ObjectStore;
  reader: ObjectReader;
  key: string;
  /** As listed. */
  sizeBytes: number;
  /** The rule's directory, absolute: nothing is written outside. */
  root: string;
  path: string;
  expand: boolean;
}

/** The files of one rule by path. `compression`: keys ending in ".gz" lose that and are expanded. */
export async function planDownloads(
  store: ObjectStore,
  rule: DownloadRule,
  objects: ListedObject[],
  workdir: string,
  compression: boolean,
): Promise<Map<string, PlannedDownload>> {
  const root = resolve(workdir, rule.local_path);
  // Consoles make empty objects for the directories that they show.
  const files = objects.filter(({ key }) => !key.endsWith("/") && key.startsWith(rule.prefix));
  const wanted = await patternOf(rule).filter(files, ({ key }) => key);
  const plan = new Map<string, PlannedDownload>();
  for (const { key, sizeBytes } of wanted) {
    const expand = compression && key.endsWith(".gz");
    const relativePath = key.slice(rule.prefix.length, expand ? -".gz".length : undefined);
    // Left behind by an older agent that uploaded its own temporary files.
    if (isOwnFile(relativePath)) continue;
    const path = join(root, safePath(store.describe(key), relativePath));
    const other = plan.get(path);
    if (other)
      throw new Refused(
        `both "${store.describe(other.key)}" and "${store.describe(key)}" would be written to ${path}`,
      );
    plan.set(path, { store, reader: store.reader(key), key, sizeBytes, root, path, expand });
  }
  return plan;
}

function safePath(object: string, relativePath: string): string {
  const segments = relativePath.split("/");
  const unsafe = segments[0] === "" || relativePath.includes("\0") || segments.at(-1) === "";
  if (unsafe || segments.some((segment) => segment === ".." || segment === ".")) {
    throw new Refused(`the key ${JSON.stringify(object)} names no file inside the directory`);
  }
  return relativePath;
}
