/** The end of a random history: nothing fails any more, everybody is alive, Salad carries out all at once, a pass comes each minute. */
import type { SqlRecord } from "../../src/db/job-record.ts";
import { type ScalingRuleRecord, updateRule } from "../../src/db/scaling/rules.ts";
import { key } from "../engine/world.ts";
import { minute } from "../simulation/scenario.ts";
import { cooldownsSeconds, drawRule } from "./random-actions.ts";
import type { RandomWorld } from "./random-world.ts";

const longestCooldownMs = Math.max(...cooldownsSeconds) * 1000;
/**
 * Until replicas are what the policy wants: the leases of nodes that vanished end within four minutes (a term of a minute, doubted once), whatever
 * was in the air has landed within one; then a step up, a step down to who is busy, and a stop, each after a cooldown and seen a minute later.
 */
const restPasses = Math.ceil((5 * minute + 3 * (longestCooldownMs + minute)) / minute);

/** How many passes it took. */
export async function decideRest(world: RandomWorld): Promise<number> {
  const { random, faults, line, salad, agents, verdict, rules, schedule } = world;
  faults.on = false;
  faults.d1DownUntilMs = 0;
  line.lookFaultShare = line.changeFaultShare = 0;
  line.isSlow = false;
  salad.prompt = true;
  salad.choose();
  world.cronFromMs = schedule.nowMs;
  agents.pace = random.pick(["hurry", "stay"] as const);
  for (const agent of agents.all.values()) {
    agent.telling = "prompt";
    agent.tellCost();
    if (agents.pace === "hurry") agents.after([1, minute], () => agent.finish());
  }
  agents.world.tellings = ["prompt"];
  // A rule that is paused or gone wants nothing; that nobody is held is promised all the same.
  if (random.chance(0.7)) revive(world);
  rules.note(`-- nothing fails any more, jobs ${agents.pace === "hurry" ? "end soon" : "go on"}`);
  let why: string[] = [];
  for (let passes = 1; passes <= restPasses; passes++) {
    await world.pass(minute);
    if (verdict.violation) return passes;
    why = await unrest(world);
    if (why.length === 0) return passes;
  }
  verdict.require("all comes to rest", null, false, () => why.join("; "));
  return restPasses;
}

function revive(world: RandomWorld): void {
  if (!ruleOf(world)) world.makeRule(drawRule(world.random));
  const change = { ...nothing, paused: false, idleThresholdSeconds: 0 };
  world.run(updateRule(key.userId, key.containerGroupId, change, world.nowMs));
}

const nothing = {
  ...{ minReplicas: null, maxReplicas: null, idleThresholdSeconds: null, jobsPerReplica: null },
  ...{ scaleUpCooldown: null, scaleDownCooldown: null, paused: null },
};

const ruleOf = ({ d1 }: RandomWorld) => d1.database.all("SELECT * FROM scaling_rules", [])[0];

const countOf = ({ d1 }: RandomWorld, status: string) =>
  Number(d1.database.all("SELECT COUNT(*) AS n FROM jobs WHERE status = ?", [status])[0]?.n);

/** What is not yet as it shall be. */
async function unrest(world: RandomWorld): Promise<string[]> {
  const { salad, object } = world;
  const rule = ruleOf(world);
  const why = rule && rule.paused === 0 ? unlikePolicy(world, rule) : [];
  if (salad.instances.some(({ id }) => salad.going.has(id))) why.push("instances are still going");
  let hold: unknown = null;
  const held: string[] = [];
  object.call(
    async (engine) => {
      hold = await engine.grantHold(key);
      for (const { id, machineId, state } of salad.staying)
        if (state === "running" && !engine.mayClaim({ machineId, instanceId: id })) held.push(id);
    },
    () => undefined,
    (error) => why.push(String(error)),
  );
  await world.pass(0);
  if (hold !== null) why.push(`a hold is left: ${JSON.stringify(hold)}`);
  if (held.length > 0) why.push(`${held.join(", ")} may not claim`);
  return why;
}

/** The policy's table in docs/autoscaling.md, once more. */
function unlikePolicy(world: RandomWorld, rule: SqlRecord): string[] {
  const { salad, object } = world;
  const {
    min_replicas: min,
    max_replicas: max,
    jobs_per_replica: per,
  } = rule as unknown as ScalingRuleRecord;
  const [pending, running] = [countOf(world, "pending"), countOf(world, "running")];
  const wanted = Math.min(max, Math.max(min, Math.ceil((pending + running) / per)));
  const busy = object.storage.all("SELECT DISTINCT machine_id FROM leases", []).length;
  const room = Math.max(0, salad.quota.replicas - salad.quota.usedByOthers);
  const has = salad.state === "stopped" ? 0 : salad.replicas;
  // A quota that was lowered below what is there takes nothing away, and gives nothing more.
  const isBounded = has < wanted && has >= room;
  const mayRest = wanted === 0 && busy === 0;
  const isRight = mayRest ? salad.state === "stopped" : has === Math.max(wanted, busy) || isBounded;
  const seen = `${has} replicas (${salad.state}) for ${pending} pending, ${running} running, ${busy} busy`;
  return isRight ? [] : [`${seen}: ${wanted} wanted, room for ${room}`];
}
