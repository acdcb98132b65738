import { leaseTermSeconds } from "../../src/domain/lease.ts";

/** What the demo plays: sized so that three nodes on two slow cores are through in about a minute. */
export const scenario = {
  nodes: 3,
  /** One job per number: that many steps. Together 127 s of work. */
  steps: [44, 60, 36, 52, 28, 48, 40, 56, 32, 44, 24, 44],
  stepSeconds: 0.25,
  /** The shortest lease there is: who was killed is missed after 20 s at the latest. */
  heartbeatIntervalSeconds: 10,
  /**
   * Kills, in seconds after the first step. Early: each costs up to a lease term before the job goes on. Apart: were
   * three leases to lapse at once, the API would suspect itself and wait another term (rule 7 of the lease protocol).
   */
  killAtSeconds: [5, 10, 15],
  /** A victim has computed so many steps on this node: there are checkpoints to lose and to go on from. */
  stepsBeforeKill: 8,
  /** …and has so many to go: it must not be done before the signal arrives. */
  stepsAfterKill: 6,
  /** Something is broken when it takes longer. */
  deadlineSeconds: 240,
};

export const leaseSeconds = leaseTermSeconds(scenario.heartbeatIntervalSeconds);

export interface DemoJob {
  name: string;
  n: number;
  /** Given by the API. */
  id: string;
}

export const demoJobs = scenario.steps.map((n, index) => ({
  name: `sum-${String(index + 1).padStart(2, "0")}`,
  n,
}));
