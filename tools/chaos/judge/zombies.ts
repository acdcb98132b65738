/**
 * Effects of attempts whose job has gone to another one: refused, or let through. At the API the order of answers
 * decides. At the storage nobody refuses; there the agent's own trust must hold the request back, so one that *began* after
 * the next attempt was out has been let through. One that was under way by then may still land (docs/leases.md, "What is not
 * guaranteed") and is counted apart.
 */

import { checkpointPrefixOf, outputKeyOf } from "../../sum-job.ts";
import type { StorageRequest } from "../logs/storage-log.ts";
import type { EndReport, Renewal, WireEvent } from "../logs/wire-log.ts";
import type { ChaosJob } from "./evidence.ts";
import type { Grants } from "./grants.ts";
import { answeredWell, isReport } from "./wire.ts";

export interface Zombies {
  refusedReports: number;
  /** Renewals that were told that the lease has ended. */
  refusedRenewals: number;
  /** Writes that the agent broke off before the storage had all of it. */
  brokenOffWrites: number;
  /** In words. */
  letThrough: string[];
  /** Writes that were under way when the next attempt was granted, and landed. */
  landedLate: number;
}

/**
 * Both moments are stamped by one process, which may be busy with the one while the other has come already. An agent's
 * margin is 2 s at least.
 */
const stampBoundMs = 500;

export function judgeZombies(
  jobs: ChaosJob[],
  evidence: { wire: WireEvent[]; storage: StorageRequest[] },
  grants: Grants,
): Zombies {
  const zombies: Zombies = {
    refusedReports: 0,
    refusedRenewals: 0,
    brokenOffWrites: 0,
    letThrough: [],
    landedLate: 0,
  };
  const names = new Map(jobs.map(({ id, name }) => [id, name]));
  const reports = Map.groupBy(evidence.wire.filter(isReport), ({ job }) => job);
  for (const event of evidence.wire) {
    if (event.kind === "claim") continue;
    const own = (reports.get(event.job) ?? []).filter(({ attempt }) => attempt === event.attempt);
    if (event.kind === "report") judgeReport(event, own);
    else judgeRenewal(event, own);
  }
  judgeStorage();
  for (const { job, attempt, node } of grants.twice) {
    zombies.letThrough.push(`${names.get(job)}: attempt ${attempt} was also given to ${node}`);
  }
  return zombies;

  function judgeReport(report: EndReport, ofAttempt: EndReport[]): void {
    // One that was applied and not answered is answered with success when it is repeated.
    if (report.status === 409 && !ofAttempt.some(answeredWell)) zombies.refusedReports += 1;
    const supersededMs = grants.supersededMs(report);
    if (!answeredWell(report) || supersededMs === undefined || report.headMs <= supersededMs) return;
    // The repeat of an end that was told in time is a success without effects (rule 10).
    const told = ofAttempt.some(
      (earlier) => earlier.end === report.end && earlier.headMs <= supersededMs && mayHaveEndedIt(earlier),
    );
    if (told) return;
    zombies.letThrough.push(
      `${names.get(report.job)}: "${report.end}" of attempt ${report.attempt} on ${report.node} was accepted ${report.headMs - supersededMs} ms after the next attempt was granted`,
    );
  }

  function judgeRenewal(renewal: Renewal, ofAttempt: EndReport[]): void {
    if (renewal.told === "canceled" && !ofAttempt.some(mayHaveEndedIt)) zombies.refusedRenewals += 1;
    const supersededMs = grants.supersededMs(renewal);
    if (renewal.told !== "running" || supersededMs === undefined || renewal.headMs <= supersededMs) return;
    zombies.letThrough.push(
      `${names.get(renewal.job)}: attempt ${renewal.attempt} on ${renewal.node} was renewed ${renewal.headMs - supersededMs} ms after the next attempt was granted`,
    );
  }

  function judgeStorage(): void {
    const owner = jobByKey(jobs);
    for (const request of evidence.storage) {
      if (!isWrite(request)) continue;
      const job = owner(request.key);
      const grant = job && grants.actingAt(job.id, request.node, request.headMs);
      const doing = `${request.method} ${request.key} by ${request.node}`;
      if (!grant) {
        zombies.letThrough.push(`${doing}: it held no attempt of that job`);
        continue;
      }
      const supersededMs = grants.supersededMs(grant);
      if (supersededMs === undefined) continue;
      const lateMs = request.headMs - supersededMs;
      if (request.bodyMs === undefined) {
        if (lateMs > 0) zombies.brokenOffWrites += 1;
      } else if (lateMs > stampBoundMs) {
        // Unless the storage said no: unanswered, it may have happened.
        if (request.status !== undefined && !answeredWell(request)) continue;
        zombies.letThrough.push(
          `${doing} of attempt ${grant.attempt} began ${lateMs} ms after the next attempt was granted`,
        );
      } else if (answeredWell(request) && (request.answeredMs ?? 0) > supersededMs) zombies.landedLate += 1;
    }
  }
}

/** An end of its own is no theft: what is asked about the attempt afterwards is refused for that reason. */
const mayHaveEndedIt = (report: EndReport) =>
  answeredWell(report) || (report.bodyMs !== undefined && report.status === undefined);

const isWrite = ({ method }: StorageRequest) => method === "PUT" || method === "POST" || method === "DELETE";

function jobByKey(jobs: ChaosJob[]): (key: string) => ChaosJob | undefined {
  const byPlace = new Map(
    jobs.flatMap((job) => [
      [outputKeyOf(job.name), job],
      [checkpointPrefixOf(job.name), job],
    ]),
  );
  return (key) => byPlace.get(key) ?? byPlace.get(key.slice(0, key.lastIndexOf("/") + 1));
}
