/** One container: the real agent in a process of its own, on a node that computes at its own speed, behind a home line. */
import { appendFileSync } from "node:fs";
import type { Hardware, Line } from "../../test/salad/hardware.ts";
import type { Instance } from "../../test/salad/instances.ts";
import { Lane } from "../chaos/network/lane.ts";
import { type Lanes, Link } from "../chaos/network/link.ts";
import { type LocalAgent, startLocalAgent } from "../local-agent.ts";
import type { LocalApi } from "../local-api.ts";
import { freezeTree, sendSignal } from "../processes/tree.ts";
import { settings } from "./settings.ts";

export interface ContainerSettings {
  instance: Instance;
  hardware: Hardware;
  api: Pick<LocalApi, "port" | "s3Endpoint">;
  key: string;
  /** What SaladCloud sets. */
  env: Record<string, string>;
  directory: string;
  logPath: string;
}

export class Container {
  state: "running" | "stopping" | "zombie" | "gone" = "running";
  readonly instance: Instance;
  readonly hardware: Hardware;
  readonly lanes: Lanes;
  /** Once it has ended, and whether nobody has ended it. Rejects where it could not be started. */
  readonly exited: Promise<{ byItself: boolean }>;
  /** Absent until its line is there, and ever after if it was taken away before. */
  #agent: LocalAgent | undefined;
  #frozen: number[] = [];
  readonly #settings: ContainerSettings;

  /** Starts it. */
  constructor(given: ContainerSettings) {
    this.#settings = given;
    this.instance = given.instance;
    this.hardware = given.hardware;
    this.lanes = lanesOf(given.hardware.line);
    this.exited = this.#run();
  }

  get pid(): number | undefined {
    return this.#agent?.pid;
  }

  tail(lines: number): string {
    return this.#agent?.tail(lines) ?? "";
  }

  /** Asks it to leave. */
  terminate(): void {
    this.state = "stopping";
    this.#agent?.signal("SIGTERM");
  }

  /** It and its command stand still, in the middle of whatever they do. */
  freeze(): void {
    this.state = "zombie";
    if (this.#agent) this.#frozen = freezeTree(this.#agent.pid);
  }

  thaw(): void {
    for (const pid of this.#frozen.splice(0)) sendSignal(pid, "SIGCONT");
  }

  /** At once, with its command and its line. */
  async kill(): Promise<void> {
    this.state = "gone";
    await this.#agent?.kill();
    // One that could not be started is told to whoever watches `exited`.
    await this.exited.catch(() => undefined);
  }

  async #run(): Promise<{ byItself: boolean }> {
    const link = await Link.open(() => this.#settings.api.port, this.lanes);
    // Taken away, or vanished, before its process was there: then there is none.
    if (this.state === "running") {
      this.#agent = this.#start(link.port);
      await this.#agent.exited;
    }
    const byItself = this.state === "running";
    this.state = "gone";
    await link.close();
    return { byItself };
  }

  #start(port: number): LocalAgent {
    const { instance, hardware, api, key, env, directory, logPath } = this.#settings;
    const url = `http://127.0.0.1:${port}`;
    return startLocalAgent({
      // The storage is behind the same line.
      api: { url, s3Endpoint: `${url}${new URL(api.s3Endpoint).pathname}` },
      key,
      containerGroupId: instance.groupId,
      machineId: instance.machineId,
      directory,
      // Of the node, and for its command alone: neither API nor agent knows of it.
      env: { ...env, SUM_SPEED: String(hardware.speed) },
      onLine: (line) => appendFileSync(logPath, `${line}\n`),
    });
  }
}

function lanesOf({ upMbps, downMbps }: Line): Lanes {
  return { up: new Lane(bitsPerSecond(upMbps)), down: new Lane(bitsPerSecond(downMbps)) };
}

const bitsPerSecond = (mbps: number) => (mbps * 1_000_000) / settings.lineDivisor;

/** For people. */
export function hardwareInWords({ speed, line }: Hardware): string {
  const { up, down } = kbpsOf(line);
  return `speed ${speed.toFixed(2)}, ${up}↑ ${down}↓ kbit/s`;
}

/** In whole kbit/s, as the lab has it. */
export function kbpsOf({ upMbps, downMbps }: Line): { up: number; down: number } {
  const kbps = (mbps: number) => Math.round(bitsPerSecond(mbps) / 1_000);
  return { up: kbps(upMbps), down: kbps(downMbps) };
}
