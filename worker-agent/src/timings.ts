/** Every bound on time in one place, each with its reason. Tests hand in shorter ones. */
export const timings = {
  /** One claim or report: the API answers in milliseconds; a stalled connection must not cost a lease. */
  callTimeoutMs: 10_000,
  /** First wait after a failed call of the API; doubles up to the caps below. */
  retryFirstMs: 250,
  /** With a socket the API wakes us; this only finds what a lost wake has missed. */
  connectedPollMs: 45_000,
  /** Opening the socket: one round trip and the group's object coming to life. */
  socketOpenTimeoutMs: 10_000,
  /** Keeps connections alive that something between us and the API would end as idle, mostly after a minute. */
  socketPingMs: 25_000,
  /** A deploy of the API drops all sockets at once; the fleet comes back over so long. */
  socketReconnectSpreadMs: 10_000,
  socketRetryFirstMs: 1_000,
  socketRetryCapMs: 60_000,
  /** A socket that lasted less was a failure, whatever its opening said. */
  socketStableMs: 60_000,
  /** An API that offers no socket is an older one; it may be updated under us. */
  socketNotOfferedMs: 600_000,
  /** Told to claim no more by an API that then went silent: who would tell us otherwise? Outlasts a deploy. */
  drainForgottenMs: 300_000,
  /** How often a drained agent looks whether that has come. */
  drainLookMs: 30_000,
  /** A claim that cannot be made costs nothing but time. */
  claimRetryCapMs: 30_000,
  /** Reports are kept as long as the attempt is current. */
  reportRetryCapMs: 15_000,
  /** An agent idle for so long polls less and less often… */
  idleBeforeSlowPollMs: 60_000,
  /** …down to this, unless it is configured to poll less often anyway. */
  slowPollMs: 10_000,
  /** After an attempt that storage or this node made impossible, so that a fault does not make the agent spin. */
  faultPauseFirstMs: 2_000,
  faultPauseCapMs: 60_000,
  /** Interrupted commands get this long to write a last checkpoint before SIGKILL. */
  stopGraceMs: 30_000,
  /** On SIGTERM, how long uploads of the last checkpoint and of finished outputs may take. */
  shutdownUploadMs: 25_000,
  /** On SIGTERM, how long a report and a claim already under way may take. */
  shutdownReportMs: 5_000,
  /** The same after a second SIGTERM: one try. */
  shutdownHurriedReportMs: 1_500,
  /** How often trust looks at the clocks: a machine that slept is noticed this long after it wakes. */
  trustTickMs: 1_000,
  /**
   * A command runs on without trust for so long, counted while the machine is awake. An hour outlasts outages and
   * deployments of the API; after it, another attempt has most likely been granted, and the work is wasted.
   */
  maxUntrustedMs: 3_600_000,
  /** The node's metadata service is on the node itself: it answers in milliseconds, or not at all. */
  imdsTimeoutMs: 2_500,
  imdsTries: 3,
  imdsRetryMs: 250,
  /** A container may start before its metadata service: looked for again after so long, doubling, for good. */
  imdsLookFirstMs: 2_000,
  imdsLookCapMs: 600_000,
  /** The deletion cost of a running job is counted in minutes. */
  deletionCostTickMs: 60_000,
  /** After SaladCloud has agreed to take this container away: it should be gone long before. */
  moveWaitMs: 600_000,
  /** The same for an agent that would end anyway, and whose container is then started again. */
  idleMoveWaitMs: 15_000,
  /** After a request of which nobody knows whether it was heard: time for its effect to show. */
  moveDoubtMs: 30_000,
  /** After a reallocation that did not come, none is asked for so long; doubles. */
  reallocateAgainFirstMs: 2 * 3_600_000,
  reallocateAgainCapMs: 24 * 3_600_000,
  /** Outputs are on disk and the work is done: worth several rounds, beyond the retries of each request. */
  outputRounds: 4,
  outputRoundPauseMs: 10_000,
};

export type Timings = typeof timings;
