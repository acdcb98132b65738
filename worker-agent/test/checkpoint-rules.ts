/** A directory that comes from a prefix, is kept in step with it, and one whose contents go up at the end. */
export const checkpointRules = {
  before: [
    { bucket: "b", prefix: "checkpoint/", local_path: "work/checkpoint", direction: "download" as const },
  ],
  during: [
    { bucket: "b", prefix: "checkpoint/", local_path: "work/checkpoint", direction: "upload" as const },
  ],
  after: [{ bucket: "b", prefix: "output/", local_path: "work/output", direction: "upload" as const }],
};
