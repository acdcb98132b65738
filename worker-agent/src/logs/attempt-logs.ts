/** What an attempt's command writes: handed on to the container's log, and kept (docs/logs.md). */
import type { Writable } from "node:stream";
import type { LogStream } from "../../../src/contract/index.ts";
import type { ApiClient } from "../api/client.ts";
import { sendLogPart } from "../api/logs.ts";
import type { Config } from "../config.ts";
import type { Lease } from "../lease/lease.ts";
import type { Log } from "../log.ts";
import { pause, unlessAborted } from "../pause.ts";
import type { Timings } from "../timings.ts";
import { CommandPipes } from "./command-pipes.ts";
import { KeptStream } from "./kept-stream.ts";
import { LogSender } from "./log-sender.ts";
import { PassThrough } from "./pass-through.ts";
import { secretValuesOf } from "./secret-values.ts";

/** Where the command's output goes on to. */
export type Outlets = Record<LogStream, Writable>;

export interface AttemptLogsSettings {
  client: ApiClient;
  identity: Config["identity"];
  lease: Lease;
  log: Log;
  timings: Timings;
  outlets: Outlets;
  /** The command's. */
  environment: NodeJS.ProcessEnv;
}

interface Stream {
  onward: PassThrough;
  kept: KeptStream;
  sender: LogSender;
}

export class AttemptLogs {
  readonly #settings: AttemptLogsSettings;
  readonly #streams: Record<LogStream, Stream>;
  readonly pipes: CommandPipes;
  #hasWarned = false;

  /** `directory`: the attempt's own, for a moment. */
  static async open(directory: string, settings: AttemptLogsSettings): Promise<AttemptLogs> {
    let logs: AttemptLogs | undefined;
    const pipes = await CommandPipes.open(directory, (stream, bytes) => logs?.take(stream, bytes));
    logs = new AttemptLogs(pipes, settings);
    return logs;
  }

  private constructor(pipes: CommandPipes, settings: AttemptLogsSettings) {
    this.#settings = settings;
    this.pipes = pipes;
    const secrets = secretValuesOf(settings.environment);
    this.#streams = { stdout: this.#stream("stdout", secrets), stderr: this.#stream("stderr", secrets) };
  }

  /** The command has written this. */
  take(name: LogStream, bytes: Buffer): void {
    const { onward, kept, sender } = this.#streams[name];
    onward.write(bytes);
    if (sender.isOver) return;
    kept.take(bytes);
    sender.wake();
  }

  /** The command has ended: reads what it has left in its pipes, and has the rest sent. */
  async end(): Promise<void> {
    await this.pipes.drained(this.#settings.timings.logDrainMs);
    for (const { onward, kept, sender } of this.#all) {
      onward.end();
      kept.end();
      void sender.finish();
    }
  }

  /** Waits for the rest to arrive, within bounds; nothing is sent afterwards. */
  async delivered(hurry: AbortSignal): Promise<void> {
    const { logFinishMs, logHurriedFinishMs } = this.#settings.timings;
    const over = new AbortController();
    const arrived = Promise.all(this.#all.map(({ sender }) => sender.finish()));
    void pause(logFinishMs, over.signal).then(() => over.abort());
    const hurried = () => void pause(logHurriedFinishMs, over.signal).then(() => over.abort());
    if (hurry.aborted) hurried();
    else hurry.addEventListener("abort", hurried, { once: true });
    await unlessAborted(arrived, over.signal);
    hurry.removeEventListener("abort", hurried);
    over.abort();
    this.abandon();
  }

  abandon(): void {
    for (const { sender } of this.#all) sender.abandon();
  }

  get #all(): Stream[] {
    return Object.values(this.#streams);
  }

  #stream(name: LogStream, secrets: string[]): Stream {
    const { client, identity, lease, log, outlets, timings } = this.#settings;
    const kept = new KeptStream(secrets);
    const sender = new LogSender(kept, {
      timings,
      send: (offset, part, signal) =>
        sendLogPart(
          client,
          lease.jobId,
          name,
          { ...identity, attempt: lease.attempt, offset, token: lease.token },
          part,
          { timeoutMs: timings.logCallMs, signal },
        ),
      onRefused: ({ message, reason }) => {
        // The lease has ended: the renewal tells that.
        if (reason === undefined && !this.#hasWarned)
          log.warn("what the command writes is not kept", { reason: message });
        this.#hasWarned = true;
      },
    });
    return { onward: new PassThrough(outlets[name]), kept, sender };
  }
}
