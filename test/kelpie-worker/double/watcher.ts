/**
 * `during`: what appears or changes goes up file by file, what goes is deleted. Its faults are the original's: a change during an upload is
 * dropped, errors are swallowed, nothing is awaited at the end.
 */
import { existsSync, type FSWatcher, mkdirSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import type { Rule } from "./api.ts";
import type { Bucket } from "./bucket.ts";
import { log } from "./log.ts";
import type { StateFile } from "./state-file.ts";

export function watchDirectory(
  bucket: Bucket,
  rule: Rule,
  { id, compress, state }: { id: string; compress: boolean; state: StateFile },
): FSWatcher {
  mkdirSync(rule.local_path, { recursive: true });
  const busy = new Set<string>();

  async function follow(name: string): Promise<void> {
    if (busy.has(name) || (rule.pattern !== undefined && !new RegExp(rule.pattern).test(name))) return;
    busy.add(name);
    const path = join(rule.local_path, name);
    state.uploading(id, path);
    try {
      if (!existsSync(path)) await bucket.remove(rule, name, compress);
      else if (statSync(path).isFile()) await bucket.upload(rule, name, path, compress);
    } catch (error) {
      log("upload failed", { id, name, error: String(error) });
    } finally {
      busy.delete(name);
      state.uploaded(id, path);
    }
  }
  return watch(rule.local_path, { recursive: true }, (_event, name) => void (name && follow(name)));
}
