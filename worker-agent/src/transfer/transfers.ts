/** The transfer layer, put together. */
import { download } from "./download.ts";
import { Ended } from "./failures.ts";
import { DirectoryMirror } from "./mirror.ts";
import type { Mirror, TransferSettings, Transfers } from "./ports.ts";
import { createStore } from "./store.ts";
import { uploadDirectory } from "./upload-directory.ts";

/** All transfers of one instance share its bounds on files and requests at once. */
export function createTransfers(settings: TransferSettings): Transfers {
  const store = createStore(settings);
  return {
    download: (rules, context) => withReason(download(store, rules, context)),
    mirror: async (rule, known, context) => {
      const mirror = new DirectoryMirror(store, settings, rule, known, context);
      const running: Mirror = {
        finish: () => withReason(mirror.finish()),
        abandon: () => mirror.abandon(),
      };
      return running;
    },
    upload: (rule, from, context) => withReason(uploadDirectory(store, rule, from, context)),
  };
}

/** Whoever ended the transfers gets his own reason back: the gate's rejection, or the signal's. */
async function withReason<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (failure) {
    throw failure instanceof Ended ? failure.reason : failure;
  }
}
