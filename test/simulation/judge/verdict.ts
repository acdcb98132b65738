/** The first broken invariant, with what led to it; how often each was checked; a digest that a replay must repeat. */

export interface Violation {
  invariant: string;
  jobId: string | null;
  atMs: number;
  said: string;
  /** The job's last events, oldest first. */
  events: string[];
}

/** Events kept per job. */
const kept = 30;

export class Verdict {
  violation: Violation | null = null;
  readonly checks = new Map<string, number>();
  #digest = 0x811c9dc5;
  readonly #events = new Map<string, string[]>();
  readonly #startMs: number;
  readonly #nowMs: () => number;
  /** Told each event, for `--verbose`. */
  readonly #tell: ((line: string) => void) | undefined;

  constructor(nowMs: () => number, tell?: (line: string) => void) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#tell = tell;
  }

  /** Something happened to a job; null: to all. */
  note(jobId: string | null, text: string): void {
    const line = `${((this.#nowMs() - this.#startMs) / 1000).toFixed(3).padStart(11)} s  ${text}`;
    for (let i = 0; i < line.length; i++) {
      this.#digest = Math.imul(this.#digest ^ line.charCodeAt(i), 0x01000193);
    }
    this.#tell?.(jobId === null ? line : `${line}  [${jobId}]`);
    const key = jobId ?? "";
    const events = this.#events.get(key);
    if (!events) this.#events.set(key, [line]);
    else if (events.push(line) > 4 * kept) events.splice(0, 3 * kept);
  }

  require(invariant: string, jobId: string | null, holds: boolean, say: () => string): void {
    this.checks.set(invariant, (this.checks.get(invariant) ?? 0) + 1);
    if (holds || this.violation) return;
    const own = jobId === null ? [] : (this.#events.get(jobId) ?? []);
    const events = [...own.slice(-kept), ...(this.#events.get("") ?? []).slice(-kept / 2)].sort();
    this.violation = { invariant, jobId, atMs: this.#nowMs() - this.#startMs, said: say(), events };
  }

  get digest(): string {
    return (this.#digest >>> 0).toString(16).padStart(8, "0");
  }

  get checked(): number {
    let sum = 0;
    for (const count of this.checks.values()) sum += count;
    return sum;
  }
}
