/** The older way to name storage: all six or none. */
export const legacyStorage = {
  ...{ input_bucket: "in", input_prefix: "in/" },
  ...{ checkpoint_bucket: "check", checkpoint_prefix: "check/" },
  ...{ output_bucket: "out", output_prefix: "out/" },
};
