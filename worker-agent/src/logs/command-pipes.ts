/**
 * The pipes that a command writes to. Named ones, unlinked as soon as they are open: what Node makes itself are sockets, which a
 * command cannot open by `/dev/stdout`, and many images do that. Where there is no `mkfifo`, sockets have to do.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import type { LogStream } from "../../../src/contract/index.ts";
import { pause } from "../pause.ts";
import type { CommandOutput } from "../process.ts";

const streams: LogStream[] = ["stdout", "stderr"];

export class CommandPipes implements CommandOutput {
  readonly stdio: CommandOutput["stdio"];
  readonly #ends: NamedPipe[];
  readonly #onData: (stream: LogStream, bytes: Buffer) => void;
  #closed: Promise<unknown>[] = [];
  #readers: Readable[] = [];

  /** `directory`: the attempt's own, for a moment. */
  static async open(
    directory: string,
    onData: (stream: LogStream, bytes: Buffer) => void,
  ): Promise<CommandPipes> {
    return new CommandPipes(await namedPipes(directory), onData);
  }

  private constructor(ends: NamedPipe[], onData: (stream: LogStream, bytes: Buffer) => void) {
    const [stdout, stderr] = ends;
    this.stdio = stdout && stderr ? [stdout.writeFd, stderr.writeFd] : ["pipe", "pipe"];
    this.#ends = ends;
    this.#onData = onData;
  }

  started(child: ChildProcess): void {
    const readers: Readable[] = this.#ends.map(
      ({ readFd }) => new Socket({ fd: readFd, readable: true, writable: false }),
    );
    for (const { writeFd } of this.#ends) closeSync(writeFd);
    if (child.stdout && child.stderr) readers.push(child.stdout, child.stderr);
    this.#readers = readers;
    this.#closed = this.#readers.map((reader, index) => this.#read(reader, streams[index] as LogStream));
  }

  failed(): void {
    for (const { readFd, writeFd } of this.#ends) {
      closeSync(readFd);
      closeSync(writeFd);
    }
  }

  /** The command has ended: resolves when all that it wrote has been read, or after so long: a process that could not be ended may hold the pipes open. */
  async drained(withinMs: number): Promise<void> {
    const over = new AbortController();
    await Promise.race([Promise.all(this.#closed), pause(withinMs, over.signal)]);
    over.abort();
    for (const reader of this.#readers) reader.destroy();
  }

  #read(reader: Readable, stream: LogStream): Promise<void> {
    reader.on("data", (bytes: Buffer) => this.#onData(stream, bytes));
    // A broken pipe ends as any other.
    reader.on("error", () => undefined);
    return new Promise((resolve) => reader.once("close", () => resolve()));
  }
}

interface NamedPipe {
  readFd: number;
  writeFd: number;
}

async function namedPipes(directory: string): Promise<NamedPipe[]> {
  const paths = streams.map((stream) => join(directory, stream));
  try {
    // Whoever the command becomes may open it by /dev/stdout; nobody else comes into the directory.
    await promisify(execFile)("mkfifo", ["-m", "666", ...paths], { timeout: 10_000 });
    return paths.map((path) => {
      // Its reader first, without waiting for a writer; then the writer does not wait for a reader.
      const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      return { readFd, writeFd: openSync(path, constants.O_WRONLY) };
    });
  } catch {
    return [];
  } finally {
    for (const path of paths) await rm(path, { force: true });
  }
}
