/** What an attempt moves: kept in the state file while it moves, counted for the report. */
import type { JobState, StateFile } from "./state-file.ts";
import type { TransferObserver } from "./transfer/ports.ts";

export interface Activity {
  observer: TransferObserver;
  bytes: { download: number; upload: number };
}

/** Observes the transfers of one attempt. `onUploaded`: told of each file that went up. */
export function observeActivity(job: JobState, file: StateFile, onUploaded: () => void): Activity {
  const bytes = { download: 0, upload: 0 };
  const active = { download: job.activeDownloads, upload: job.activeUploads };
  return {
    bytes,
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
        file.changed();
      },
    },
  };
}
