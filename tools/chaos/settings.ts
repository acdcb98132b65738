import { leaseTermSeconds } from "../../src/domain/lease.ts";

/** What a run is made of: sized so that two slow cores carry it and that faults meet jobs in the middle. */
export const settings = {
  /** So many at once may be frozen or cut off; the others carry the work on. */
  ailingNodes: 2,
  /** Drawn for each job; short ones are as likely as long ones. The longest outlast a lease: they make the zombies that still work. */
  steps: { least: 20, most: 120 },
  stepSeconds: { least: 0.2, most: 0.4 },
  /** The shortest lease there is. */
  heartbeatIntervalSeconds: 10,
  /** Between two blows, in seconds. */
  pause: { least: 3, most: 8 },
  /** A victim in the middle of a job is waited for this long; then any will do. */
  victimWaitSeconds: 8,
  /** A victim has computed so many steps in this run, and has so many to go. */
  stepsBefore: 4,
  stepsAfter: 4,
  /**
   * From the last fault to the last job's end. The longest way there: a lease that is doubted (two terms), a queue's worth of
   * jobs, and once more of all that for who was hit last.
   */
  calmDeadlineSeconds: 240,
  /** An agent that is asked to leave has nothing left to do then but its last report. */
  leaveGraceSeconds: 40,
};

export const leaseSeconds = leaseTermSeconds(settings.heartbeatIntervalSeconds);
