/** What an upload reads from. */
import type { FileHandle } from "node:fs/promises";
import { FileDisturbed } from "./failures.ts";
import { isUnchanged } from "./file-state.ts";
import type { KnownFile } from "./ports.ts";

/**
 * An open file whose content is one state. It is held open, so a rename over it does no harm: the bytes stay those of
 * one state, and the newer file is uploaded in its turn.
 */
export interface UploadSource {
  path: string;
  handle: FileHandle;
  sizeBytes: number;
  /** @throws FileDisturbed when the file is no longer in the state that the upload began with. */
  checkUnchanged(): Promise<void>;
}

export function sourceInState(path: string, handle: FileHandle, state: KnownFile): UploadSource {
  return {
    path,
    handle,
    sizeBytes: state.sizeBytes,
    checkUnchanged: async () => {
      if (!(await isUnchanged(state, handle, path))) throw new FileDisturbed(path);
    },
  };
}
