/**
 * `npm run bench -- storage`: bytes up and down by real agents' jobs, beside rclone on the same S3 endpoint. What counts are the
 * ratios and the bytes; the seconds are this machine's, with agent, API and storage on the same cores. Linux alone: memory
 * is read from /proc.
 */
import { rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToTheEnd } from "../processes/run-to-the-end.ts";
import { BenchPlay } from "./bench-play.ts";
import { showMachineLoad } from "./machine-load.ts";
import { median } from "./measure.ts";
import type { Ground } from "./storage-agent.ts";
import { growAsMirror, growAsSnapshot } from "./storage-growth.ts";
import { rcloneIsThere } from "./storage-rclone.ts";
import { agentOn, moveInTurn, yardstick } from "./storage-rounds.ts";
import { fullSizes, neededBytes, quickSizes, type Sizes } from "./storage-sizes.ts";
import { makeFile, makeFiles } from "./storage-sources.ts";
import { showCopies, showGrowth, showResume } from "./storage-table.ts";

export async function benchStorage(quick: boolean): Promise<void> {
  const sizes = quick ? quickSizes : fullSizes;
  const { bavail, bsize } = await statfs(tmpdir());
  const [free, needed] = [bavail * bsize, neededBytes(sizes)].map((bytes) => Math.ceil(bytes / 1e9));
  if (free === undefined || needed === undefined || free < needed) {
    console.error(`This needs ${needed} GB in the directory for temporary files (TMPDIR); ${free} are free.`);
    process.exitCode = 1;
    return;
  }
  console.log(`up to ${needed} GB of disk, ${free} are free`);
  await runToTheEnd(
    "bench",
    (directory, interrupted) =>
      new BenchPlay(directory, interrupted, (ground) => measureStorage(ground, sizes)),
  );
}

async function measureStorage(ground: Ground, sizes: Sizes): Promise<true> {
  const { fileBytes, smallFiles, smallBytes, growingBytes, growthBytes, growths, rounds } = sizes;
  const movers = [agentOn("managed"), agentOn("S3")];
  if (await rcloneIsThere(ground.directory)) movers.push(yardstick);
  else console.log("rclone is not on the PATH: not measured, so there are no ratios to it");

  const source = join(ground.directory, "growing.bin");
  await makeFile(source, growingBytes);
  const mirror = await growAsMirror(ground, source, sizes);
  const { growth, resume } = await growAsSnapshot(ground, source, sizes);
  await rm(source);
  // Each table as soon as it is there: the rest may take long, and somebody may have seen enough.
  showGrowth([mirror, growth]);

  const one = {
    what: `one file of ${fileBytes / 1e6} MB`,
    make: (directory: string) => makeFile(join(directory, "one.bin"), fileBytes),
  };
  const many = {
    what: `${smallFiles} files of ${smallBytes} B`,
    make: (directory: string) => makeFiles(directory, smallFiles, smallBytes),
  };
  const ofOne = await moveInTurn(ground, one, movers, rounds);
  showCopies(ofOne);
  const plain = ofOne.find(({ mover, way }) => mover === "managed" && way === "down")?.took ?? [];
  const plainSecondsPerByte = median(plain.map(({ seconds }) => seconds)) / fileBytes;
  showResume(resume, growingBytes + growths * growthBytes, plainSecondsPerByte);
  showCopies(await moveInTurn(ground, many, movers, rounds));
  showMachineLoad();
  return true;
}
