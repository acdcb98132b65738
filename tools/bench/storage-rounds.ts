/** One set of files up and down again by each in turn, so that a disturbance of the machine hits all of them. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Ground } from "./storage-agent.ts";
import { copyDown, copyUp, type Store } from "./storage-copies.ts";
import { rcloneUp } from "./storage-rclone.ts";

export interface Took {
  seconds: number;
  peakBytes: number;
}

export interface Mover {
  name: string;
  up(ground: Ground, source: string, prefix: string): Promise<Took>;
  /** Compares what came with the source, outside of what is timed. Absent: it cannot. */
  down?(ground: Ground, source: string, prefix: string): Promise<Took>;
}

export const agentOn = (store: Store): Mover => ({
  name: store,
  up: (ground, source, prefix) => copyUp(ground, store, source, prefix),
  down: (ground, source, prefix) => copyDown(ground, store, source, prefix),
});

export const yardstick: Mover = { name: "rclone", up: rcloneUp };

export interface FileSet {
  what: string;
  make(directory: string): Promise<void>;
}

/** One mover's copies in one direction; one entry per round. */
export interface Copies {
  what: string;
  way: "up" | "down";
  mover: string;
  took: Took[];
}

export async function moveInTurn(
  ground: Ground,
  { what, make }: FileSet,
  movers: Mover[],
  rounds: number,
): Promise<Copies[]> {
  const source = join(ground.directory, "source");
  await mkdir(source);
  await make(source);
  const rows = (["up", "down"] as const).flatMap((way) =>
    movers.map((mover) => ({ way, mover, took: [] as Took[] })),
  );
  const givenUp = new Set<Mover>();
  for (let round = 1; round <= rounds; round++) {
    for (const mover of movers) {
      // Where nothing is yet: rclone leaves out what is there.
      const prefix = `${what.replaceAll(" ", "-")}/${mover.name}-${round}/`;
      for (const row of rows.filter((row) => row.mover === mover)) {
        const move = mover[row.way];
        if (givenUp.has(mover) || !move) continue;
        const step = `${what}, ${mover.name}, ${row.way}, round ${round} of ${rounds}`;
        try {
          const took = await move(ground, source, prefix);
          row.took.push(took);
          ground.tell(`${step}: ${took.seconds.toFixed(1)} s`);
        } catch (error) {
          // Somebody else's program on an endpoint that it was not made for: ours is measured all the same.
          if (mover !== yardstick) throw error;
          givenUp.add(mover);
          ground.tell(`${step}: given up. ${String(error).slice(0, 200)}`);
        }
      }
    }
  }
  await rm(source, { recursive: true });
  return rows
    .filter(({ took }) => took.length > 0)
    .map(({ way, mover, took }) => ({ what, way, mover: mover.name, took }));
}
