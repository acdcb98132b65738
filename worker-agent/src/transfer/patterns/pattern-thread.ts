/**
 * Users' regular expressions run in a thread of their own: one that backtracks for ever ("^(a+)+$") would else stop this
 * process, its renewals included. The thread gets its paths in slices, each with a budget of time; one that takes longer is
 * ended, and the thread with it. Its source stands here as text, since the agent is delivered as one file.
 */
import { Worker } from "node:worker_threads";

export interface PatternTimes {
  /** For one slice. Sane patterns take a thousandth of it, so a busy machine does not matter. */
  budgetMs: number;
  /** For a thread to come up, on a machine where everything else runs too. */
  startMs: number;
  /** A thread without work is ended after so long. */
  idleMs: number;
}

const timesDefault: PatternTimes = { budgetMs: 2_000, startMs: 60_000, idleMs: 30_000 };
const sliceTexts = 1_000;

const program = `
const { parentPort } = require("node:worker_threads");
parentPort.on("message", ({ source, texts }) => {
  const pattern = new RegExp(source);
  parentPort.postMessage(Uint8Array.from(texts, (text) => (pattern.test(text) ? 1 : 0)));
});
parentPort.postMessage("ready");
`;

/** What became of one question to the thread. */
type Reply = { kind: "said"; message: unknown } | { kind: "late" } | { kind: "died"; reason: string };

export class PatternThread {
  readonly #times: PatternTimes;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** One question at a time: the budget is for the thread's work, not for its queue. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(times: Partial<PatternTimes> = {}) {
    this.#times = { ...timesDefault, ...times };
  }

  /** In which of the texts the pattern is found; why it cannot be told, in words, to stand behind the pattern's name. */
  async test(source: string, texts: string[]): Promise<boolean[] | string> {
    const found: boolean[] = [];
    for (let from = 0; from < texts.length; from += sliceTexts) {
      const slice = texts.slice(from, from + sliceTexts);
      const answered = this.#last.then(() => this.#testSlice(source, slice));
      this.#last = answered;
      const part = await answered;
      if (typeof part === "string") return part;
      for (const one of part) found.push(one === 1);
    }
    return found;
  }

  /** Never rejects. */
  async #testSlice(source: string, texts: string[]): Promise<Uint8Array | string> {
    clearTimeout(this.#idle);
    const { budgetMs, startMs, idleMs } = this.#times;
    const started = this.#worker ? undefined : await this.#start(startMs);
    const worker = this.#worker;
    if (!worker) return `cannot be tested: ${started}`;
    const reply = await ask(worker, budgetMs, () => worker.postMessage({ source, texts }));
    if (reply.kind !== "said") {
      this.#end();
      return reply.kind === "late"
        ? `takes longer than ${budgetMs / 1000} s: it backtracks without end`
        : `cannot be tested: ${reply.reason}`;
    }
    this.#idle = setTimeout(() => this.#end(), idleMs);
    this.#idle.unref();
    return reply.message as Uint8Array;
  }

  /** @returns why there is no thread, in words. */
  async #start(startMs: number): Promise<string | undefined> {
    const worker = new Worker(program, { eval: true, execArgv: [], env: {} });
    worker.on("error", () => undefined);
    // It must not keep the agent from ending; the timers of those who wait for it do.
    worker.unref();
    const reply = await ask(worker, startMs, () => undefined);
    if (reply.kind === "said") {
      this.#worker = worker;
      return undefined;
    }
    void worker.terminate();
    return reply.kind === "late" ? "its thread does not start" : reply.reason;
  }

  #end(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }
}

async function ask(worker: Worker, timeoutMs: number, send: () => void): Promise<Reply> {
  const { promise, resolve } = Promise.withResolvers<Reply>();
  const timer = setTimeout(() => resolve({ kind: "late" }), timeoutMs);
  const said = (message: unknown) => resolve({ kind: "said", message });
  const failed = (error: Error) => resolve({ kind: "died", reason: error.message });
  const exited = () => resolve({ kind: "died", reason: "its thread ended" });
  worker.on("message", said).on("error", failed).on("exit", exited);
  send();
  const reply = await promise;
  clearTimeout(timer);
  worker.off("message", said).off("error", failed).off("exit", exited);
  return reply;
}
