import { mkdtempSync, rmSync } from "node:fs";
import { tellGuardian } from "./tell-guardian.ts";

export interface TemporaryDirectory {
  readonly path: string;
  /** To be called once nobody writes there any more. */
  remove(): void;
}

/** `prefix` is a path; its parent exists. The directory goes with this process, however that ends. */
export function makeTemporaryDirectory(prefix: string): TemporaryDirectory {
  const path = mkdtempSync(prefix);
  tellGuardian({ removeAtEnd: path });
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
      tellGuardian({ removed: path });
    },
  };
}
