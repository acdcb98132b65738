/** What an attempt moves: kept in the state file while it moves, counted for the report. */
import type { JobState, StateFile } from "./state-file.ts";
import type { TransferObserver } from "./transfer/ports.ts";

export interface Activity {
  observer: TransferObserver;
  bytes: { download: number; upload: number };
  /** A checkpoint may be on its way: an upload is under way or waits its turn, or one came to nothing and is soon tried again. */
  isUploading(): boolean;
}

/** Longer than a mirror or a snapshot waits before it tries a failed upload again. */
const uploadRetriedWithinMs = 90_000;

/** Observes the transfers of one attempt. `onUploaded`: told of each file that went up. */
export function observeActivity(job: JobState, file: StateFile, onUploaded: () => void): Activity {
  const bytes = { download: 0, upload: 0 };
  let inVainMs = Number.NEGATIVE_INFINITY;
  const active = { download: job.activeDownloads, upload: job.activeUploads };
  return {
    bytes,
    isUploading: () => active.upload.length > 0 || performance.now() - inVainMs < uploadRetriedWithinMs,
    observer: {
      began(direction, localPath) {
        active[direction].push(localPath);
        file.changed();
      },
      ended(direction, localPath, movedBytes) {
        const paths = active[direction];
        const at = paths.indexOf(localPath);
        if (at >= 0) paths.splice(at, 1);
        bytes[direction] += movedBytes;
        if (direction === "upload" && movedBytes > 0) onUploaded();
        if (direction === "upload") inVainMs = movedBytes > 0 ? Number.NEGATIVE_INFINITY : performance.now();
        file.changed();
      },
    },
  };
}
