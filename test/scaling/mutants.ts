/**
 * Mutants of the autoscaler: the shipped sources with one rule taken out. Each must break the invariant that it names in random histories; one
 * that survives shows a rule that nobody watches. Every invariant of rules-of-scaling.ts and random-rest.ts is named here (mutants.test.ts sees
 * to it); only random-world.ts's "SQLite takes each statement" is not.
 *
 * Not here, since no history of 1 to 150 shows it, and watched by a test of its own:
 * - a claim that was choosing its job when the hold came gets it; a job that has just begun where Salad tells no costs is no reason to wait;
 *   a start asks for fewer, too; a turn is kept without asking for it: steps.test.ts;
 * - a turn that another has had in between is kept: late-deciders.test.ts;
 * - the next one decides right after a change that was not answered; what Salad has not shown at once will not come about; a group at rest
 *   is started before its last step is settled; nobody settles a hold whose rule is gone or paused: odd-answers.test.ts;
 * - a step down follows another before it is clear what became of that; a hold forgets what an earlier one has asked: unclear-steps.test.ts.
 * Two histories (85, 92) show that a hold is a machine's, whichever instance is on it, and one (92) that an instance is busy with the leases of
 * its machine's last one: too few to stay so when the code changes, and steps.test.ts shows both.
 */
import type { Edits } from "../simulation/edits.ts";

export interface Mutant extends Edits {
  name: string;
  /** Which it breaks. */
  invariant: string;
  /** The first random history that shows it. */
  seed: number;
}

export const mutants: Mutant[] = [
  // Holds on grants
  {
    name: "a step down holds no grants",
    file: "src/scaling/step-down.ts",
    find: "const held = await group.holdGrants(key, operationId, ports.nowMs() + choosingMs);",
    replace: "const held = { ok: true, busyMachineIds: [], unnamed: 0, lastGrantMsAgo: null, step: null };",
    and: {
      file: "src/scaling/step-down.ts",
      find: " && (await group.holdGrants(key, operationId, untilMs, given)).ok;",
      replace: ";",
    },
    invariant: "fewer are asked for only while grants are held",
    seed: 3,
  },
  {
    name: "a hold refuses only those who are known to go",
    file: "src/group/grant-hold.ts",
    find: "return isDoomed || (this.choosing(nowMs) !== null && !holdsLease());",
    replace: "return isDoomed;",
    invariant: "nobody who is held gets a lease",
    seed: 1,
  },
  {
    name: "a hold refuses nobody who is known to go",
    file: "src/group/grant-hold.ts",
    find: "return isDoomed || (",
    replace: "return (",
    invariant: "no instance that a step has taken gets a lease",
    seed: 1,
  },
  {
    name: "a life of the object forgets its hold",
    file: "src/group/grant-hold.ts",
    find: '"SELECT held FROM grant_hold"',
    replace: '"SELECT held FROM grant_hold WHERE 0"',
    invariant: "nobody who is held gets a lease",
    seed: 2,
  },
  {
    name: "of a hold D1 knows nothing",
    file: "src/db/scaling/holds.ts",
    find: "AND scaled_down = ?1`",
    replace: "AND scaled_down = ?1 AND 0`",
    invariant: "all comes to rest",
    seed: 2,
  },

  // What became of a step down
  {
    name: "a step down is never settled",
    file: "src/scaling/settle.ts",
    find: "  const { step } = hold;\n",
    replace: "  const { step } = hold;\n  if (hold) return;\n",
    invariant: "all comes to rest",
    seed: 4,
  },
  {
    name: "who goes is not told",
    file: "src/scaling/settle.ts",
    find: "{ instances, untilMs: nowMs() + settlingMs }",
    replace: "{ instances: [], untilMs: nowMs() + settlingMs }",
    invariant: "no instance that a step has taken gets a lease",
    seed: 1,
  },
  {
    name: "a step that Salad does not show yet is settled",
    file: "src/scaling/settle.ts",
    find: "  if (!isShown && !isOver) return;\n",
    replace: "",
    invariant: "no instance that a step has taken gets a lease",
    seed: 14,
  },
  {
    name: "a step down that was not answered is given up",
    file: "src/scaling/step-down.ts",
    find: "  if (mayBeMade(done)) return { ...outcome, action: step, error: why(done), isOpen: true, beside: [] };\n",
    replace: "",
    invariant: "no instance that a step has taken gets a lease",
    seed: 10,
  },

  // Whom Salad takes
  {
    name: "what deletion costs tell is not looked at",
    file: "src/scaling/step-down.ts",
    find: 'step === "stop" ? 0 : spare(before, busy, replicas)',
    replace: 'step === "stop" ? 0 : replicas',
    invariant: "no instance that a step takes away holds a lease",
    seed: 5,
  },
  {
    name: "as many go as if nobody were busy",
    file: "src/domain/scaling.ts",
    find: "const replicas = Math.max(wanted, busy);",
    replace: "const replicas = wanted;",
    invariant: "never fewer than machines are busy",
    seed: 34,
  },
  {
    name: "what was decided before the hold is done",
    file: "src/scaling/step-down.ts",
    find: "= decideScaling({ ...standing.facts, busyNodes });",
    replace: "= standing.choice;",
    invariant: "never fewer than machines are busy",
    seed: 34,
  },
  {
    name: "neither running jobs nor busy nodes are counted",
    file: "src/domain/scaling.ts",
    find: "const replicas = Math.max(wanted, busy);",
    replace: "const replicas = wanted;",
    and: {
      file: "src/domain/scaling.ts",
      find: "(jobs.arePaused ? 0 : jobs.pending) + jobs.running;",
      replace: "jobs.arePaused ? 0 : jobs.pending;",
    },
    invariant: "stop is asked only when no lease lives",
    seed: 5,
  },
  {
    name: "a step down that would take nobody is made",
    file: "src/scaling/step-down.ts",
    find: 'if (step === "scale_down" && target >= salads.replicas) {',
    replace: "if (false) {",
    invariant: "a step down asks for fewer",
    seed: 5,
  },

  // How many
  {
    name: "the maximum is ignored",
    file: "src/domain/scaling.ts",
    find: "Math.min(Math.max(asked, rule.minReplicas), rule.maxReplicas)",
    replace: "Math.max(asked, rule.minReplicas)",
    invariant: "never more than max_replicas",
    seed: 1,
  },
  {
    name: "the minimum is ignored",
    file: "src/domain/scaling.ts",
    find: "Math.min(Math.max(asked, rule.minReplicas), rule.maxReplicas)",
    replace: "Math.min(asked, rule.maxReplicas)",
    invariant: "all comes to rest",
    seed: 8,
  },
  {
    name: "the quota is ignored",
    file: "src/scaling/look.ts",
    find: "const bounded = { ...facts, quotaReplicas };",
    replace: "const bounded = facts;",
    invariant: "never more than the quota leaves",
    seed: 20,
  },

  // When
  {
    name: "up, no cooldown is kept",
    file: "src/domain/scaling.ts",
    find: "if (nowMs < untilMs)\n",
    replace: "if (nowMs < 0)\n",
    invariant: "cooldowns are kept",
    seed: 1,
  },
  {
    name: "down, no cooldown is kept",
    file: "src/domain/scaling.ts",
    find: "if (nowMs < untilMs) {\n",
    replace: "if (nowMs < 0) {\n",
    invariant: "cooldowns are kept",
    seed: 5,
  },
  {
    name: "a new rule gives up at once what is there",
    file: "src/domain/scaling.ts",
    find: "    rule.createdMs,\n",
    replace: "",
    invariant: "cooldowns are kept",
    seed: 8,
  },
  {
    name: "a step that was refused begins a cooldown",
    file: "src/db/scaling/steps.ts",
    find: `AND \${column} = ?4\``,
    replace: `AND \${column} = ?4 AND 0\``,
    invariant: "a step that cannot have been made begins no cooldown",
    seed: 2,
  },
  {
    name: "a 429 begins a cooldown",
    file: "src/scaling/budgeted-salad.ts",
    find: 'refusal.reason === "unavailable" && refusal.status !== 429 &&',
    replace: 'refusal.reason === "unavailable" &&',
    invariant: "a step that cannot have been made begins no cooldown",
    seed: 6,
  },

  // The mark and the history
  {
    name: "a step leaves no mark",
    file: "src/db/scaling/steps.ts",
    find: `SET scaled_\${direction} = ?1`,
    replace: `SET scaled_\${direction} = scaled_\${direction} + 0 * ?1`,
    invariant: "what is asked of Salad has its mark on the rule",
    seed: 1,
  },
  {
    name: "the mark is set on whatever the rule is by now",
    file: "src/db/scaling/steps.ts",
    find: "AND updated = ?4 AND paused = 0 RETURNING",
    replace: "AND updated <> ?4 + 0.5 RETURNING",
    invariant: "never more than max_replicas",
    seed: 109,
  },
  {
    name: "steps are not written down",
    file: "src/scaling/decision.ts",
    find: 'const isNews = decision.action !== "none" || decision.error !== null;',
    replace: "const isNews = false;",
    invariant: "a step that was asked for is in the history",
    seed: 1,
  },

  // Who decides
  {
    name: "everybody has the turn",
    file: "src/scaling/desk.ts",
    find: "if (current && current.operationId !== operationId && current.untilMs > nowMs) return false;",
    replace: "",
    invariant: "cooldowns are kept",
    seed: 4,
  },
  {
    name: "who is refused the turn decides all the same",
    file: "src/scaling/turn.ts",
    find: "|| !(await turns.takeTurn(name, operation))) return false;",
    replace: ") return false;\n    await turns.takeTurn(name, operation);",
    invariant: "one decider at a time asks for changes",
    seed: 1,
  },
  {
    name: "a submission steps down",
    file: "src/scaling/scaler.ts",
    find: 'if (trigger === "submission" && isDownwards(proposed.action)) return unchanged(proposed);',
    replace: "",
    and: {
      file: "src/scaling/in-turn.ts",
      find: 'trigger === "submission" && isDownwards(step)',
      replace: "(false as boolean)",
    },
    invariant: "a submission steps up only",
    seed: 4,
  },
  {
    name: "a dry run acts",
    file: "src/scaling/scaler.ts",
    find: 'return dryRun ? await this.#propose(queue, untilMs) : await this.#decide(queue, "person", untilMs);',
    replace: 'return await this.#decide(queue, "person", untilMs);',
    invariant: "a dry run asks for no change",
    seed: 10,
  },
  {
    name: "a quota that Salad does not tell is read",
    file: "src/scaling/look.ts",
    find: '  if (!quota.ok) return { kind: "seen", group, facts, choice };\n',
    replace: "",
    invariant: "the autoscaler throws only what D1 or the object threw",
    seed: 15,
  },

  // Requests and answers
  {
    name: "there are always requests left",
    file: "src/domain/request-budget.ts",
    find: "if (tokens < needed) {",
    replace: "if (tokens < -1e9) {",
    invariant: "at most 230 requests in any minute",
    seed: 4,
  },
  {
    name: "a change that was not confirmed is not looked at",
    file: "src/scaling/step.ts",
    find: "  if (isCertain) return answer;\n",
    replace: "  if (salad) return answer;\n",
    invariant: "what became of a change is looked at",
    seed: 1,
  },
  {
    name: "a 404 removes the rule",
    file: "src/scaling/look.ts",
    find: "isNotFound ? await isItGone(salad, rule)",
    replace: 'isNotFound ? { kind: "gone", why: "a 404" }',
    invariant: "no rule is removed while its group is there",
    seed: 45,
  },
];
