// Writes, changes and deletes files that a mirror follows; goes on whenever it is told.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isTold } from "./program.mjs";

mkdirSync("live/deep", { recursive: true });
writeFileSync("live/changes.txt", "first");
writeFileSync("live/deep/goes.txt", "soon gone");
await told("change");
writeFileSync("live/changes.txt", "second");
writeFileSync("live/comes.txt", "new");
rmSync("live/deep/goes.txt");
await told("end");
writeFileSync("live/last.txt", "at the very end");

async function told(what) {
  while (!isTold(what)) await sleep(50);
}
