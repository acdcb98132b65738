/** Which object becomes which file: decided, and refused if need be, before the first byte is written. */
import { join, resolve } from "node:path";
import type { DownloadRule } from "../../../src/contract/index.ts";
import { Refused } from "./failures.ts";
import type { ListedObject } from "./list-objects.ts";
import { isOwnFile } from "./object-key.ts";

export interface PlannedDownload {
  bucket: string;
  key: string;
  /** The rule's directory, absolute: nothing is written outside. */
  root: string;
  path: string;
  expand: boolean;
}

/** The files of one rule by path. `compression`: keys ending in ".gz" lose that and are expanded. */
export function planDownloads(
  rule: DownloadRule,
  objects: ListedObject[],
  workdir: string,
  compression: boolean,
): Map<string, PlannedDownload> {
  const root = resolve(workdir, rule.local_path);
  const pattern = rule.pattern === undefined ? undefined : new RegExp(rule.pattern);
  const plan = new Map<string, PlannedDownload>();
  for (const { key } of objects) {
    // Consoles make empty objects for the directories that they show.
    if (key.endsWith("/") || !key.startsWith(rule.prefix)) continue;
    if (pattern && !pattern.test(key)) continue;
    const expand = compression && key.endsWith(".gz");
    const relativePath = key.slice(rule.prefix.length, expand ? -".gz".length : undefined);
    // Left behind by an older agent that uploaded its own temporary files.
    if (isOwnFile(relativePath)) continue;
    const path = join(root, safePath(rule.bucket, key, relativePath));
    const other = plan.get(path);
    if (other)
      throw new Refused(`${rule.bucket}: both "${other.key}" and "${key}" would be written to ${path}`);
    plan.set(path, { bucket: rule.bucket, key, root, path, expand });
  }
  return plan;
}

function safePath(bucket: string, key: string, relativePath: string): string {
  const segments = relativePath.split("/");
  const unsafe = segments[0] === "" || relativePath.includes("\0") || segments.at(-1) === "";
  if (unsafe || segments.some((segment) => segment === ".." || segment === ".")) {
    throw new Refused(`the key ${JSON.stringify(`${bucket}/${key}`)} names no file inside the directory`);
  }
  return relativePath;
}
