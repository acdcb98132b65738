/** What the lab makes of a day on SaladCloud within minutes. Nothing of the API or the agent runs on another clock. */
export const settings = {
  organization: "lab",
  group: "trainers",
  saladKey: "lab-salad-key",
  /** Seconds where SaladCloud takes minutes. */
  preparingMs: [300, 1_500],
  allocatingMs: [500, 2_000],
  downloadingMs: [1_000, 6_000],
  creatingMs: [500, 1_500],
  stoppingMs: 8_000,
  /** From when an instance runs until its machine vanishes, on average. */
  livesMs: 90_000,
  /** No shorter: else nothing is ever done there. */
  leastLifeMs: 10_000,
  zombieShare: 0.3,
  /** Longer than a lease. */
  frozenMs: 25_000,
  zombieMs: 15_000,
  /** A checkpoint is a request of a kilobyte here, where real ones are megabytes: lines are slower than measured ones by as much. */
  lineDivisor: 1_000,
  steps: [8, 24],
  stepSeconds: 0.5,
  heartbeatIntervalSeconds: 5,
  rule: { idle_threshold_seconds: 3, scale_up_cooldown_seconds: 0, scale_down_cooldown_seconds: 8 },
  /** The minute's cron comes this often here. */
  cronEveryMs: 5_000,
  /** Jobs of a burst, per node. */
  jobsPerNode: 2,
  /** From the end of one burst's work and the group's stop to the next burst. */
  pauseMs: 4_000,
  lookMs: 500,
  /** Of replicas over time. */
  looksPerSample: 4,
  /** How far back a line tells of them; a table, as far as its terminal is wide. */
  samplesOfLine: 60,
  /** How often the API is asked for counts: for the table of a terminal, for a line elsewhere. */
  countEveryMs: { table: 2_000, line: 5_000 },
  /** Jobs that the verdict reads at the same time. */
  readAtOnce: 8,
  /** From the last burst until everything has ended. */
  deadlineMs: 300_000,
} as const;
