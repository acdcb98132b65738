/** A file system of 4 MiB in memory, if this machine lets us. */
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { onTestFinished } from "vitest";

/** Containers without the right to mount, and everything that is not Linux, cannot: then what needs it is skipped. */
export function canMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Until the test is over. */
export async function mountSmall(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "none", directory]);
  onTestFinished(() => {
    execFileSync("umount", ["-l", directory]);
  });
}
