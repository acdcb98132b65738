/** What a run looks like: how many nodes, which jobs, how often what goes wrong. Times in milliseconds. */

export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;

export interface Scenario {
  name: string;
  machines: number;
  /** Processes per machine, slots per agent: one of each is drawn. */
  processes: readonly number[];
  slots: readonly number[];
  /** Share of machines that run old workers. */
  oldShare: number;
  /** Jobs there at the start, and how often a burst of more comes while fewer than this are open. */
  openJobs: number;
  burstEveryMs: number;
  largestBurst: number;
  /** Heartbeat intervals, in seconds. */
  intervals: readonly number[];
  /** Work of a job: shortest, longest. */
  work: readonly [number, number];
  checkpointEveryMs: number;
  /** Longest pause of an idle agent between two claims. */
  idlePollMs: number;
  /** Means between such incidents, per machine. */
  freezeEveryMs: number;
  partitionEveryMs: number;
  deathEveryMs: number;
  /** Means between such incidents, of the API. */
  crashEveryMs: number;
  storageLossEveryMs: number;
  outageEveryMs: number;
  d1OutageEveryMs: number;
  /** Of one D1 batch, of one message. */
  d1FaultShare: number;
  messageFaultShare: number;
  alarmFaultShare: number;
  /** Means between what people do. */
  cancelEveryMs: number;
  purgeEveryMs: number;
  strangerEveryMs: number;
  /** Mean from the end of a pause of the group to the next. */
  pauseEveryMs: number;
  /** A machine that fails every job at once, alone with a full queue for the first minutes. */
  badMachine: boolean;
  /** Share of the jobs whose checkpoints are snapshots in managed storage. */
  managedShare: number;
  /** Mean between two objects of the bucket that get lost or change; one machine has bad memory, too. */
  rotEveryMs: number;
}

/** A fleet as it is in practice, only unluckier: long jobs, long terms, an incident somewhere every few minutes. */
const fleet: Scenario = {
  name: "fleet",
  machines: 120,
  processes: [1, 1, 1, 2],
  slots: [1, 1, 2],
  oldShare: 0.7,
  openJobs: 230,
  burstEveryMs: 4 * minute,
  largestBurst: 120,
  intervals: [150, 600, 600, 900],
  work: [2 * minute, 8 * hour],
  checkpointEveryMs: 20 * minute,
  idlePollMs: 60 * second,
  freezeEveryMs: 10 * hour,
  partitionEveryMs: 10 * hour,
  deathEveryMs: 8 * hour,
  crashEveryMs: 30 * minute,
  storageLossEveryMs: 40 * hour,
  outageEveryMs: 6 * hour,
  d1OutageEveryMs: 3 * hour,
  d1FaultShare: 0.03,
  messageFaultShare: 0.02,
  alarmFaultShare: 0.02,
  cancelEveryMs: 20 * minute,
  purgeEveryMs: 24 * hour,
  strangerEveryMs: 10 * minute,
  pauseEveryMs: Number.POSITIVE_INFINITY,
  badMachine: false,
  managedShare: 0.3,
  rotEveryMs: 24 * hour,
};

/** Everything at once, all the time: few machines fight for short jobs while nothing can be relied on. */
const hostile: Scenario = {
  name: "hostile",
  machines: 7,
  processes: [1, 1, 2, 3],
  slots: [1, 1, 2],
  oldShare: 0.4,
  openJobs: 14,
  burstEveryMs: 40 * second,
  largestBurst: 20,
  intervals: [5, 10, 10, 30],
  work: [2 * second, 6 * minute],
  checkpointEveryMs: 20 * second,
  idlePollMs: 4 * second,
  freezeEveryMs: 12 * minute,
  partitionEveryMs: 12 * minute,
  deathEveryMs: 20 * minute,
  crashEveryMs: 90 * second,
  storageLossEveryMs: 25 * minute,
  outageEveryMs: 25 * minute,
  d1OutageEveryMs: 12 * minute,
  d1FaultShare: 0.12,
  messageFaultShare: 0.08,
  alarmFaultShare: 0.08,
  cancelEveryMs: 40 * second,
  purgeEveryMs: 20 * minute,
  strangerEveryMs: 20 * second,
  pauseEveryMs: Number.POSITIVE_INFINITY,
  badMachine: false,
  managedShare: 0,
  rotEveryMs: Number.POSITIVE_INFINITY,
};

/** The same, and it begins with a page of jobs that are all closed to the one machine there is. */
const closedPage: Scenario = { ...hostile, name: "closed-page", badMachine: true };

/** Long jobs on machines that keep well, while D1 is cleared under their hands. */
const forgetful: Scenario = {
  ...hostile,
  name: "forgetful",
  work: [5 * minute, 3 * hour],
  freezeEveryMs: 2 * hour,
  partitionEveryMs: 2 * hour,
  deathEveryMs: 2 * hour,
  cancelEveryMs: 10 * minute,
  purgeEveryMs: 15 * minute,
};

/** The group is paused as often as not. */
const pauses: Scenario = { ...hostile, name: "pauses", pauseEveryMs: 30 * second };

/** Checkpoint upon checkpoint, in managed storage that is as unreliable as the rest. */
const snapshots: Scenario = {
  ...hostile,
  name: "snapshots",
  machines: 6,
  processes: [1, 1, 2],
  oldShare: 0.1,
  openJobs: 8,
  largestBurst: 6,
  // Long terms: URLs for writing live as long.
  intervals: [10, 30, 60, 150],
  work: [1 * minute, 40 * minute],
  checkpointEveryMs: 15 * second,
  // Whoever is canceled goes on sending until it hears so.
  cancelEveryMs: 90 * second,
  purgeEveryMs: 40 * minute,
  strangerEveryMs: 2 * minute,
  managedShare: 0.9,
  rotEveryMs: 4 * minute,
};

export const scenarios = { fleet, hostile, "closed-page": closedPage, forgetful, pauses, snapshots } as const;
export type ScenarioName = keyof typeof scenarios;

/** Unless a scenario is named: a seed brings its own. */
export function scenarioOf(seed: number): ScenarioName {
  return (["fleet", "hostile", "fleet", "closed-page"] as const)[seed % 4] ?? "fleet";
}
