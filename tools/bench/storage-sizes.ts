/** How much is moved, and the room that takes. */

const mb = 1_000_000;

export interface Sizes {
  fileBytes: number;
  smallFiles: number;
  smallBytes: number;
  /** Of the file that grows, at its beginning. */
  growingBytes: number;
  growthBytes: number;
  growths: number;
  /** A mirror sends the whole file each time: a few times tell as much as twenty. */
  mirroredGrowths: number;
  /** Of all copies, ours and rclone's in turn. */
  rounds: number;
}

const common = { smallBytes: 4096, growthBytes: 16 * mb, growths: 20, mirroredGrowths: 3 };

export const fullSizes: Sizes = {
  ...common,
  fileBytes: 2000 * mb,
  smallFiles: 20_000,
  growingBytes: 1000 * mb,
  rounds: 1,
};

export const quickSizes: Sizes = {
  ...common,
  fileBytes: 128 * mb,
  smallFiles: 1000,
  growingBytes: 128 * mb,
  rounds: 1,
};

/** At most on the disk at one time. */
export function neededBytes(sizes: Sizes): number {
  const { fileBytes, smallFiles, growingBytes, growthBytes, growths, rounds } = sizes;
  // Three kinds of upload stay in the bucket, the source and one download lie beside; the objects of a file in parts may exist twice.
  const copies = (3 * rounds + 4) * fileBytes;
  // A block and a row of the local R2's database for each small file.
  const small = (3 * rounds + 2) * smallFiles * 16_384;
  // Source, two working directories with what was cut of them, the chunks, the mirror's newest object and the one before.
  const growing = 7 * (growingBytes + growths * growthBytes);
  return copies + small + growing;
}
