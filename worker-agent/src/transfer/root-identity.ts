/** Tells a directory from another one made in its place. */
import { stat } from "node:fs/promises";
import { LocalFailure, onDisk } from "./failures.ts";

/**
 * Inode numbers come back soon, also for a directory made in the place of another; birth times do not. Undefined: it is
 * gone.
 */
export async function identityOf(directory: string): Promise<string | undefined> {
  try {
    const { dev, ino, birthtimeNs } = await onDisk(directory, stat(directory, { bigint: true }));
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch (failure) {
    if (failure instanceof LocalFailure && failure.missing) return undefined;
    throw failure;
  }
}
