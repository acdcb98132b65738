/**
 * Mutants: the shipped sources with one rule of the protocol taken out, from outside, by replacing a piece of text that must
 * be there exactly once. Each must break an invariant of the simulation; one that survives shows a rule that nobody watches.
 *
 * Not here, because another guard stands behind each (take both out, and an invariant breaks): the renewal's `phase = 'held'`
 * in SQL (renewHeld has looked before), joining a claim under way (a claim id is unique among the rows), the check
 * of the rows when a candidate is chosen (claim.ts checks again, the row's key refuses a second one), reading `last_op`
 * back for an attempt's end (its recorded end says the same), forgetting the head after an end (a hint: fresh after 2 s),
 * dropping a row that flush and sweep suspect (D1 has said before that it does not know it). An end whose fence stops it
 * meets the same end already there, or an ended attempt, so what hangs on its operation (the attempt's end, the ban) has to
 * lose the object's storage as well to do harm; the same is true of a zombie's report on its machine's next attempt.
 */
import type { Edits } from "./edits.ts";
import { outboxMutants } from "./outbox-mutants.ts";
import type { ScenarioName } from "./scenario.ts";
import { storageMutants } from "./storage-mutants.ts";

export interface Mutant extends Edits {
  name: string;
  /**
   * A number: of the lease protocol, docs/leases.md. A heading: of the same (Bad machines), docs/operations.md (Pause), docs/webhooks.md (Outbox),
   * docs/storage.md (the others).
   */
  rule: number | "Bad machines" | "Pause" | "Grants" | "Commit" | "Retention" | "Resume" | "Outbox";
  /** Where it shows soonest. */
  scenario?: ScenarioName;
}

export const mutants: Mutant[] = [
  // 1. Intent first.
  {
    name: "a report writes no intent",
    rule: 1,
    file: "src/group/settle.ts",
    find: "    ctx.rows.beginEnding(write);\n",
    replace: "",
  },
  {
    name: "an expiry writes no intent",
    rule: 1,
    file: "src/group/alarm.ts",
    find: "if (!ctx.rows.beginEnding(write)) continue;",
    replace: "",
  },
  {
    name: "a cancel writes no intent",
    rule: 1,
    file: "src/group/cancel.ts",
    find: "  ctx.rows.beginEnding(write);\n",
    replace: "",
  },
  {
    name: "a report without a lease leaves no barring row",
    rule: 1,
    file: "src/group/settle.ts",
    find: "    ctx.rows.insert(barringRow(write));\n",
    replace: "",
  },
  {
    name: "a cancel without a lease leaves no barring row",
    rule: 1,
    file: "src/group/cancel.ts",
    find: "  ctx.rows.insert(barringRow(write));\n",
    replace: "",
  },
  {
    name: "a row that is ending is renewed",
    rule: 1,
    file: "src/group/renew.ts",
    find: 'if (row?.phase !== "held") return null;',
    replace: "if (!row) return null;",
  },
  {
    name: "nobody looks at what an earlier life left open",
    rule: 1,
    file: "src/group/alarm.ts",
    find: 'if (row && row.phase !== "held" && !ctx.intents.isUnderWay(jobId)) await ctx.intents.resolve(row);',
    replace: "",
  },

  // 2. Side effects hang on the fence.
  {
    name: "a claim's attempt does not hang on its operation",
    rule: 2,
    file: "src/db/leases/claim.ts",
    find: "WHERE id = ?1 AND last_op = ?4`",
    replace: "WHERE id = ?1 AND ?4 <> ''`",
  },
  {
    name: "a claim is not fenced by the state",
    rule: 2,
    file: "src/db/leases/claim.ts",
    find: "WHERE id = ?1 AND status = 'pending' AND attempt < ?2",
    replace: "WHERE id = ?1 AND attempt < ?2",
  },
  {
    name: "a claim is not fenced by the attempt",
    rule: 2,
    file: "src/db/leases/claim.ts",
    find: "AND status = 'pending' AND attempt < ?2",
    replace: "AND status = 'pending'",
  },
  {
    name: "an end is not fenced by the state",
    rule: 2,
    file: "src/db/leases/end.ts",
    find: `return write.attempt === 0 ? "status = 'pending'" : "status = 'running'";`,
    replace: 'return "1 = 1";',
  },
  {
    name: "an end is not fenced by the attempt",
    rule: 2,
    file: "src/db/leases/end.ts",
    find: "WHERE id = ?1 AND attempt = ?2 AND",
    replace: "WHERE id = ?1 AND ?2 >= 0 AND",
  },

  // 3. Unknown is read back.
  {
    name: "a claim whose answer is lost is not read back",
    rule: 3,
    file: "src/group/intents.ts",
    find: "if (record && record.last_op === row.opId) return this.#granted(row, record);",
    replace: "",
  },
  {
    name: "an end of unknown outcome gives its row up",
    rule: 3,
    file: "src/group/intents.ts",
    find: 'if (outcome.kind !== "unknown") this.#rows.remove',
    replace: "this.#rows.remove",
  },
  {
    name: "an end whose answer is lost is taken for a refusal",
    rule: 3,
    file: "src/group/intents.ts",
    find: "if (standing && stillOpen(standing, write)) {\n        // Not applied so far",
    replace: "if (false) {\n        // Not applied so far",
  },
  {
    name: "an end of a job that nobody claimed is not read back",
    rule: 3,
    file: "src/group/intents.ts",
    find: "if (standing.last_op === write.opId || standing.its_end_op === write.opId) {",
    replace: "if (standing.its_end_op === write.opId) {",
  },

  // 4. The claim is idempotent; a grant is provisional.
  {
    name: "a repeated claim does not find its lease",
    rule: 4,
    file: "src/group/claim.ts",
    find: "if (repeated) return repeatClaim(ctx, repeated, request);",
    replace: "",
  },
  {
    name: "a grant is not provisional",
    rule: 4,
    file: "src/group/intents.ts",
    find: "expiresMs: nowMs + (byToken ? provisionalMs : termMs)",
    replace: "expiresMs: nowMs + termMs",
  },
  {
    name: "an unacknowledged attempt counts",
    rule: 4,
    file: "src/group/intents.ts",
    find: "acknowledgedMs: byToken ? null : nowMs",
    replace: "acknowledgedMs: nowMs",
  },
  {
    name: "a claim is repeated to another machine",
    rule: 4,
    file: "src/group/claim.ts",
    find: "if (row.machineId !== request.machineId) return { ok: true, job: null };",
    replace: "",
  },

  // 5. Tokens, and old workers' cool-down.
  {
    name: "any token will do",
    rule: 5,
    file: "src/domain/lease.ts",
    find: "equalInConstantTime(shown.leaseToken, lease.token)",
    replace: "true",
  },
  {
    name: "any attempt will do",
    rule: 5,
    file: "src/domain/lease.ts",
    find: "shown.machineId === lease.machineId && (shown.attempt ?? lease.attempt) === lease.attempt",
    replace: "true",
  },
  {
    name: "an old worker's machine gets the job right back",
    rule: 5,
    file: "src/group/alarm.ts",
    find: "if (row.token === null && row.machineId !== null) {",
    replace: "if (row.machineId === 'nobody') {",
  },
  {
    name: "a term is shorter than told",
    rule: 5,
    file: "src/group/lease-rows.ts",
    find: "const expiresMs = nowMs + row.termMs;",
    replace: "const expiresMs = nowMs + row.termMs / 2;",
  },
  {
    name: "a renewal that promises more than what is stored is not written",
    rule: 5,
    file: "src/group/lease-rows.ts",
    find: "expiresMs <= known.storedUntilMs && !isNews",
    replace: "!isNews",
  },

  // 6. Trust: the agent's side.
  {
    name: "trust has no margin",
    rule: 6,
    file: "worker-agent/src/lease/trust.ts",
    find: "trustedMs: termMs - Math.max(marginMinMs, termMs * marginShare)",
    replace: "trustedMs: termMs",
  },
  {
    name: "trust believes the monotonic clock alone",
    rule: 6,
    file: "worker-agent/src/clock.ts",
    find: "return Math.max(awakeMs(), bootElapsedMs, source.wallMs() - wallMs);",
    replace: "return awakeMs() + 0 * bootElapsedMs;",
  },
  {
    name: "trust is not looked at before an effect",
    rule: 6,
    file: "worker-agent/src/lease/trust.ts",
    find: "if (this.#granted && remainingMs <= 0) this.#lapse();",
    replace: "",
  },
  {
    name: "trust is counted from the answer",
    rule: 6,
    file: "test/simulation/actors/agent.ts",
    find: "attempt.trust.renewed(sentAt, attempt.termMs);",
    replace: "attempt.trust.renewed(this.#machine.clock.mark(), attempt.termMs);",
  },
  {
    name: "trust is counted from the claim",
    rule: 6,
    file: "test/simulation/actors/attempt.ts",
    find: "    world.judge.began(this);\n",
    replace:
      "    world.judge.began(this);\n    this.trust.renewed(machine.clock.mark(), this.termMs);\n    world.judge.trusted(this);\n",
  },
  {
    name: "an upload does not ask for trust",
    rule: 6,
    file: "test/simulation/actors/attempt.ts",
    find: "    if (!this.trusts()) {\n      this.#world.judge.refused",
    replace: "    if (this.trust.ended.aborted) {\n      this.#world.judge.refused",
  },

  // 7. Mass expiry is suspicious.
  {
    name: "late alarms and mass expiry are believed",
    rule: 7,
    file: "src/domain/lease.ts",
    find: "return alarmLateMs > lateAlarmMs || (lapsed >= massExpiryLeases && lapsed * 2 > held);",
    replace: "return false;",
  },
  {
    name: "leases never lapse",
    rule: 7,
    file: "src/group/alarm.ts",
    find: "  await expireLapsed(ctx);\n",
    replace: "",
  },
  {
    name: "the alarm spins on what fails",
    rule: 7,
    file: "src/group/engine.ts",
    find: "notBeforeMs = this.#ports.nowMs() + openRetryMs;",
    replace: "",
  },
  {
    name: "a new life sets no alarm",
    rule: 7,
    file: "src/group/engine.ts",
    find: "if (dueMs !== null) this.#armAlarm",
    replace: "if (dueMs === -1) this.#armAlarm",
  },

  // 8. Only D1's word cancels.
  {
    name: "a renewal without a row is canceled unasked",
    rule: 8,
    file: "src/group/renew.ts",
    find: "if (!current) return { status",
    replace: "return { status",
  },
  {
    name: "a report without a row is refused",
    rule: 8,
    file: "src/group/settle.ts",
    find: ": isCurrent(standing, holder)) {",
    replace: ": false) {",
  },
  {
    name: "the sweep adopts nothing",
    rule: 8,
    file: "src/group/reconcile.ts",
    find: "orphans.length === 0 ? []",
    replace: "orphans.length >= 0 ? []",
  },
  {
    name: "rows of jobs that D1 has forgotten stay",
    rule: 8,
    file: "src/group/flush.ts",
    find: "    if (running.get(row.jobId) === row.attempt) continue;",
    replace: "    continue;",
    scenario: "forgetful",
  },

  // 9. The head is a hint.
  {
    name: "an attempt's number is given out again",
    rule: 9,
    file: "src/group/claim.ts",
    find: "Math.max(candidate.attempt, ctx.rows.attemptFloor(candidate.id)) + 1",
    replace: "candidate.attempt + 1",
  },
  {
    name: "a ban is checked neither by the page nor by D1",
    rule: 9,
    file: "src/db/leases/claim.ts",
    find: `
              AND NOT EXISTS (SELECT 1 FROM bans WHERE job_id = ?1 AND machine_id = ?3 AND expires > ?4)`,
    replace: "",
    and: {
      file: "src/group/queue-head.ts",
      find: "!candidate.bannedMachineIds.includes(machine.id) &&",
      replace: "",
    },
  },
  {
    name: "nobody looks past a closed page",
    rule: 9,
    file: "src/group/queue-head.ts",
    find: "if (!this.#partial) return null;",
    replace: "return null;",
    scenario: "closed-page",
  },
  {
    name: "an old read is believed that there is nothing",
    rule: 9,
    file: "src/group/queue-head.ts",
    find: "while (load.startedAt < arrivedAt)",
    replace: "while (false)",
  },

  // 10. Reports.
  {
    name: "a repeated report is refused",
    rule: 10,
    file: "src/group/settle.ts",
    find: "if (standing.its_end === kind && standing.its_machine_id === holder.machineId) return true;",
    replace: "",
  },
  {
    name: "another group's job is settled",
    rule: 10,
    file: "src/group/settle.ts",
    find: "!standing || standing.user_id !== key.userId || standing.container_group_id !== key.containerGroupId",
    replace: "!standing",
  },
  {
    name: "failures are not counted",
    rule: 10,
    file: "src/db/leases/end.ts",
    find: "=> `num_failures = num_failures + 1,",
    replace: "=> `num_failures = num_failures + 0,",
  },
  {
    name: "a stall counts as a failure",
    rule: 10,
    file: "src/db/leases/end.ts",
    find: "stalled: `fresh = 0,",
    replace: "stalled: `num_failures = num_failures + 1, fresh = 0,",
  },
  {
    name: "a timeout does not count as a failure",
    rule: 10,
    file: "src/db/leases/end.ts",
    find: "  timed_out: failure(",
    replace: "  timed_out: `fresh = 0, status = 'pending'` || failure(",
  },
  {
    name: "a timeout bans nobody",
    rule: 10,
    file: "src/domain/ends.ts",
    find: 'return isFailure(end) || end === "stalled";',
    replace: 'return end === "failed" || end === "stalled";',
  },
  {
    name: "a stall bans nobody",
    rule: 10,
    file: "src/domain/ends.ts",
    find: 'return isFailure(end) || end === "stalled";',
    replace: "return isFailure(end);",
  },
  {
    name: "interruptions count as failures",
    rule: 10,
    file: "src/db/leases/end.ts",
    find: "num_interruptions = num_interruptions + ?7,",
    replace: "num_interruptions = num_interruptions + ?7, num_failures = num_failures + 1,",
  },

  // 11. Purge.
  {
    name: "a purge takes what came after it began",
    rule: 11,
    file: "src/db/leases/purge.ts",
    find: `
                   AND created <= ?3`,
    replace: "",
  },
  {
    name: "a purge leaves what runs",
    rule: 11,
    file: "src/group/cancel.ts",
    find: "const canceled = await cancelAll(ctx, key, jobIds);",
    replace: "const canceled = 0; jobIds.length = 0;",
  },

  // Bad machines.
  {
    name: "a machine is blamed for jobs that fail everywhere",
    rule: "Bad machines",
    file: "src/domain/reallocation.ts",
    find: "betterElsewhere >= jobsBetterElsewhere",
    replace: "betterElsewhere >= 0",
  },
  {
    name: "as many machines are told to go as are bad",
    rule: "Bad machines",
    file: "src/domain/reallocation.ts",
    find: 'if (within(groupPauseMs).length > 0) return "group_told";',
    replace: "",
    and: {
      file: "src/domain/reallocation.ts",
      find: 'if (within(shareWindowMs).length >= ration) return "share_told";',
      replace: "",
    },
  },
  {
    name: "a life of the object forgets whom it told to go",
    rule: "Bad machines",
    file: "src/group/machines.ts",
    find: '"SELECT machine_id, told_ms, reason, done_ms FROM reallocations WHERE told_ms > ?"',
    replace: '"SELECT machine_id, told_ms, reason, done_ms FROM reallocations WHERE told_ms > ? AND 0"',
  },

  // Pause.
  {
    name: "a claim does not ask whether the group is paused",
    rule: "Pause",
    file: "src/db/leases/claim.ts",
    find: `
              AND NOT \${groupIsPaused}`,
    replace: "",
    scenario: "pauses",
  },
  {
    name: "whoever was paused once stays so",
    rule: "Pause",
    file: "src/db/groups/pause.ts",
    find: '"DELETE FROM groups WHERE user_id = ?1 AND container_group_id = ?2"',
    replace: '"DELETE FROM groups WHERE user_id = ?1 AND container_group_id = ?2 AND 0"',
    scenario: "pauses",
  },

  ...storageMutants,
  ...outboxMutants,
];
