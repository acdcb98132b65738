/**
 * Every bound of the wire in one place, each with its reason. What is over gets a 400 (or 413 for bytes) that
 * names the field, before anything is written.
 */
export const limits = {
  /** One job, serialised. D1 rows end at 2 MB; nobody's command needs a quarter of that. */
  jobBytes: 256 * 1024,
  /** One request that carries one job: its JSON may be escaped or indented. */
  bodyBytes: 1024 * 1024,
  /** One request that carries a batch: its bytes, text, objects and answer live side by side in 128 MB. */
  batchBodyBytes: 16 * 1024 * 1024,
  /** Jobs of one batch (Kelpie's own bound). */
  batchJobs: 1000,
  commandChars: 8192,
  arguments: 1000,
  argumentChars: 32_768,
  environmentEntries: 500,
  /** Linux refuses a single environment string above 128 KiB. */
  environmentValueChars: 100_000,
  environmentNameChars: 256,
  /** Rules per list of `sync`; Kelpie users have a handful. */
  syncRules: 50,
  /** S3 and R2 end keys at 1,024 bytes. */
  prefixChars: 900,
  bucketChars: 255,
  /** What is left of R2's 1,024 bytes when the organization's root and the attempt's own place stand in front. */
  managedKeyBytes: 900,
  /** URLs, keys or outputs that one call of the storage routes names: its answer stays below 1 MB. */
  storageBatch: 500,
  /** One object, and one part of one: R2's own bounds. */
  objectBytes: 5 * 1024 ** 4,
  partBytes: 5 * 1024 ** 3,
  parts: 10_000,
  /**
   * What one request carries through the API, where bytes stream through it: the body that Cloudflare takes on its smaller plans. Larger
   * objects go in parts.
   */
  streamedBytes: 100_000_000,
  /** Of one generation: 400 GB in chunks of 8 MiB. Its list is read by a Worker of 128 MB. */
  generationChunks: 50_000,
  /** 16 MiB hold the names of some 100,000 files. */
  manifestBytes: 64 * 1024 * 1024,
  /** A chunk is held in memory when it is sent, several at once. */
  chunkBytes: 16 * 1024 * 1024,
  /** Generations that are kept, at most. */
  keptGenerations: 100,
  pathChars: 4096,
  patternChars: 1024,
  urlChars: 2048,
  /** Group, machine, instance and claim ids: UUIDs on SaladCloud, any short string elsewhere. */
  idChars: 256,
  /** Names of users, organizations and projects. */
  nameChars: 128,
  /** Of one user: a list of them is one answer. */
  tokens: 1000,
  /** Ten years: longer is "never", which is said by leaving it out. */
  tokenSeconds: 315_360_000,
  maxFailures: 1_000_000,
  /** One day: a longer silence than that is no heartbeat. */
  heartbeatIntervalSeconds: 86_400,
  /** Instances of one container group: SaladCloud's own bound. */
  replicas: 500,
  /** One hour (Kelpie's own bound): instances that idle cost money. */
  idleThresholdSeconds: 3600,
  /** Whoever needs longer to stop than a quarter of an hour should write checkpoints. */
  stopGraceSeconds: 900,
  /** A year. */
  timeoutSeconds: 31_536_000,
  progressMessageChars: 200,
  /** Of one stream of one attempt: what a person still downloads and reads. */
  logBytes: 64 * 1024 * 1024,
  /** A part of a log as it is sent and kept: a Worker holds some of them at once. */
  logChunkBytes: 256 * 1024,
  /** One answer of a log. */
  logAnswerBytes: 1024 * 1024,
  /** Parts that one answer is put together from: each is a read of the bucket, of which a Worker has 1,000. */
  logAnswerChunks: 500,
  logTailLines: 10_000,
  /** One fact about a node: names of GPUs and versions. */
  factChars: 100,
  /** One day: how long after scaling in either direction the next may have to wait. */
  cooldownSeconds: 86_400,
  /** One day: whoever wants longer pauses submits again. */
  retryDelaySeconds: 86_400,
  priority: 100,
  pageSize: 1000,
  page: 1_000_000,
  /** Container groups of one page: each costs some thousand rows of counting. */
  groupPage: 100,
  /** `Idempotency-Key`: a UUID in most clients. */
  idempotencyKeyChars: 255,
  /** Rows of jobs that a Worker of 128 MB holds at once: they are there as the database's answer, as objects and as JSON. */
  pageBytes: 8 * 1024 * 1024,
  cursorChars: 256,
  /** Objects and arrays inside each other in a body: ours need six. */
  nesting: 32,
  reasonChars: 1000,
  /** SIGVTALRM and its kin. */
  signalChars: 32,
  /** Leases that one renewal call may carry: slots of one agent and the uploads still going on. */
  renewals: 64,
  /** One text on an agent's socket, either way: the longest has a job's id and a reason. */
  socketMessageChars: 1024,
} as const;
