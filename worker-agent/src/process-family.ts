/**
 * Everything that one run of a command has started, wherever it went: what no `setsid`, double fork or `nohup` gets away from.
 * Protocol and limits: docs/processes.md.
 *
 * A process is of the family when it
 * - was seen as one before (pid and start time), or is a child of one,
 * - is in a session with one: the command begins a session of its own, and nobody enters another's,
 * - was started with the run's id in its environment, which children inherit.
 *
 * So whoever severs one of these ties is held by another. Looks while the command runs (often at first, since daemons part early)
 * catch those who would sever all of them one after the other.
 */
import { pause } from "./pause.ts";
import { signalGroup } from "./process-group.ts";
import { isStartedWith, type Process, readProcess, readProcesses } from "./process-table.ts";

/** Looks while the command runs: after so long, then twice as long each time… */
const firstLookMs = 10;
/** …up to this. A look reads two small files per process. */
const lookEveryMs = 5_000;

/** What SIGKILL has not ended by then hangs in the kernel (a driver, a dead network disk), and only a restart ends it. */
const killBoundMs = 10_000;

/** Stopping what forks while we look: each round finds those that the one before has missed. */
const stopRoundsMax = 20;

/** Who began the family, as far as is known. */
export interface FamilyHead {
  pid: number;
  start: number;
}

export class ProcessFamily {
  readonly #runId: string;
  readonly #head: FamilyHead | undefined;
  /** pid → start of every member seen. */
  readonly #known = new Map<number, number>();
  /** pid → start of those that were not of it when they were asked for their environment. */
  #strangers = new Map<number, number>();

  /**
   * `runId`: found in the environment of what the command starts. `head`: the command itself, leader of its session and group;
   * undefined where only the id is known.
   */
  constructor(runId: string, head: FamilyHead | undefined) {
    this.#runId = runId;
    this.#head = head;
    if (head) this.#known.set(head.pid, head.start);
  }

  /** The members that live. Undefined where there is no /proc: then only the head's group is known. */
  look(): Process[] | undefined {
    const processes = readProcesses();
    return processes && this.#membersOf(processes).filter(({ zombie }) => !zombie);
  }

  /** Whether any member lives. */
  isAlive(): boolean {
    const members = this.look();
    if (members) return members.length > 0;
    return this.#head !== undefined && signalGroup(this.#head.pid, 0);
  }

  /** Sends a signal to these members, to whole groups at once where all of the group are members. */
  signal(members: Process[], signal: NodeJS.Signals): void {
    const pids = new Set(members.map(({ pid }) => pid));
    const others = (readProcesses() ?? []).filter(({ pid, zombie }) => !zombie && !pids.has(pid));
    const shared = new Set(others.map(({ group }) => group));
    for (const group of new Set(members.map(({ group }) => group))) {
      if (!shared.has(group)) signalGroup(group, signal);
    }
    for (const { pid, start, group } of members) {
      if (shared.has(group) && readProcess(pid)?.start === start) signalProcess(pid, signal);
    }
  }

  /**
   * Ends all members at once. They are stopped first, so that none forks while others are being killed. Resolves when none is left,
   * with those that SIGKILL did not end within 10 s.
   */
  async kill(): Promise<Process[]> {
    const beganMs = performance.now();
    for (let waitMs = 5; ; waitMs = Math.min(2 * waitMs, 250)) {
      const members = this.#stopAll();
      if (members === undefined) {
        if (this.#head) signalGroup(this.#head.pid, "SIGKILL");
        return [];
      }
      if (members.length === 0) return [];
      this.signal(members, "SIGKILL");
      if (performance.now() - beganMs > killBoundMs) return members;
      await pause(waitMs);
    }
  }

  /** Looks now and then until the signal aborts, so that who parts from the others is known before. */
  async watch(signal: AbortSignal): Promise<void> {
    for (let waitMs = firstLookMs; await pause(waitMs, signal); waitMs = Math.min(2 * waitMs, lookEveryMs)) {
      if (this.look() === undefined) return;
    }
  }

  /** All members, none of which runs on. */
  #stopAll(): Process[] | undefined {
    const stopped = new Set<number>();
    for (let round = 1; ; round++) {
      // In the middle of an exec a process shows no environment: whom we take for a stranger is asked again.
      this.#strangers.clear();
      const members = this.look();
      const running = members?.filter(({ pid }) => !stopped.has(pid)) ?? [];
      if (running.length === 0 || round > stopRoundsMax) return members;
      this.signal(running, "SIGSTOP");
      for (const { pid } of running) stopped.add(pid);
    }
  }

  #membersOf(processes: Process[]): Process[] {
    const members = findFamily(processes, {
      self: process.pid,
      head: this.#head,
      isKnown: ({ pid, start }) => this.#known.get(pid) === start,
      isMarked: (process) => this.#isMarked(process),
    });
    this.#known.clear();
    if (this.#head) this.#known.set(this.#head.pid, this.#head.start);
    for (const { pid, start } of members) this.#known.set(pid, start);
    const strangers = new Map(processes.map(({ pid, start }) => [pid, start]));
    for (const { pid } of members) strangers.delete(pid);
    this.#strangers = strangers;
    return members;
  }

  /** A stranger is not asked again at every look: whoever is started with our mark is started by one of us. */
  #isMarked({ pid, start, zombie }: Process): boolean {
    return !zombie && this.#strangers.get(pid) !== start && isStartedWith(pid, this.#runId);
  }
}

export interface FamilyTies {
  /** Never a member. */
  self: number;
  head: FamilyHead | undefined;
  isKnown(process: Process): boolean;
  isMarked(process: Process): boolean;
}

/** Which of these processes are of the family. */
export function findFamily(processes: Process[], ties: FamilyTies): Process[] {
  const { head, self } = ties;
  const ownSession = processes.find(({ pid }) => pid === self)?.session;
  // The head's pid names its session even after its end, for as long as anybody is in it; but not once another process has it.
  const usedAgain = head && processes.some(({ pid, start }) => pid === head.pid && start !== head.start);
  const sessions = new Set(head && !usedAgain ? [head.pid] : []);
  const members = new Map<number, Process>();
  const others = new Set(processes.filter(({ pid }) => pid !== self));
  const isRelated = (process: Process) => {
    if (sessions.has(process.session) && process.start >= (head?.start ?? 0)) return true;
    const parent = members.get(process.parent);
    return parent !== undefined && parent.start <= process.start;
  };
  const admit = (process: Process) => {
    members.set(process.pid, process);
    others.delete(process);
    // 0: a session from outside this container.
    if (process.session > 0 && process.session !== ownSession) sessions.add(process.session);
  };
  for (const process of [...others]) {
    if (ties.isKnown(process) || ties.isMarked(process)) admit(process);
  }
  for (let grown = true; grown; ) {
    grown = false;
    for (const process of [...others].filter(isRelated)) {
      admit(process);
      grown = true;
    }
  }
  return [...members.values()];
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it has just ended
  }
}
