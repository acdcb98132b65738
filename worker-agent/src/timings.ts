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
  /** A job whose directories another slot's job uses is held so long before it is given back: a job that is just ending takes less. */
  occupiedHoldFirstMs: 10_000,
  /** Twice as long each time it comes back, up to this: so long an agent that appears meanwhile has to wait for it. */
  occupiedHoldCapMs: 300_000,
  /** After giving it back, so long another agent has the first chance: one with a socket is woken at once, others poll every 2 to 10 s. */
  occupiedPauseMs: 5_000,
  /** `nvidia-smi` takes a second or two where no driver keeps the GPU awake; one that hangs must not keep the agent from work. */
  nodeFactsMs: 5_000,
  /** On SIGTERM, how long uploads of the last checkpoint and of finished outputs may take: KELPIE_SHUTDOWN_UPLOAD_SECONDS. */
  shutdownUploadMs: 25_000,
  /** What does not heed its abort for so long when the agent stops is not waited for. */
  shutdownHangMs: 1_000,
  /** At its end the agent waits so long for a container log that is slow to take what commands have written. */
  outputTakenMs: 2_000,
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
  /** A step is told within so long, and with the next renewal at the latest… */
  progressGapMs: 1_000,
  /** …or this where directories cannot be watched. */
  progressPollMs: 5_000,
  /** How often it is looked whether a command has stalled. */
  stallTickMs: 1_000,
  /** What is written to stdout or stderr is sent on within so long (KELPIE_LOG_SECONDS; 0: it is not kept)… */
  logSendMs: 5_000,
  /** …by calls of so long, tried again after pauses that grow to the last of these. */
  logCallMs: 15_000,
  logRetryFirstMs: 1_000,
  logRetryCapMs: 30_000,
  /** What a command has left in its pipes is read within so long after its end. */
  logDrainMs: 1_000,
  /** The end of a log is worth so long before the attempt's end is reported, and this when hurried. */
  logFinishMs: 2_000,
  logHurriedFinishMs: 300,
  /** Outputs are on disk and the work is done: worth several rounds, beyond the retries of each request. */
  outputRounds: 4,
  outputRoundPauseMs: 10_000,
};

export type Timings = typeof timings;
