/**
 * A job whose bans leave nobody to run it would wait out a day. When every machine that polls is banned from it, the oldest of
 * these bans is lifted: that failure is the least likely to have been the machine's fault today.
 */
import { liftOldestBan } from "../db/leases/bans.ts";
import type { GroupContext } from "./context.ts";
import { pollWindowMs } from "./polls.ts";

/** Called when `machineId` found nothing. True: a ban of this very machine was lifted, so it should look again. */
export async function liftBan(ctx: GroupContext, machineId: string): Promise<boolean> {
  const nowMs = ctx.ports.nowMs();
  const polling = ctx.polls.machines(nowMs);
  const closed = ctx.head
    .left()
    .find(
      (job) => !ctx.rows.has(job.id) && polling.every((machine) => job.bannedMachineIds.includes(machine)),
    );
  if (!closed) return false;
  // Whoever is not banned and asks takes it: so long without is proof, too, that nobody is there, across lives of the object.
  const closedForMs = ctx.closed.noteAsked(closed, nowMs);
  if (!ctx.polls.knowsAll(nowMs) && closedForMs < pollWindowMs) return false;
  const [lifted] = await ctx.ports.d1.batch([liftOldestBan(closed.id, polling)]);
  const machine = lifted?.[0]?.machine_id;
  if (machine === undefined) return false;
  ctx.head.invalidate();
  if (machine !== machineId) ctx.ports.agents?.wake(1);
  ctx.ports.log({
    severity: "warning",
    event: "ban_lifted",
    jobId: closed.id,
    detail: `of machine ${machine}: all ${polling.length} polling machines were banned`,
  });
  return machine === machineId;
}
