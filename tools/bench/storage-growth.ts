/** A file that grows while its command runs, as a mirror and as a snapshot: what each checkpoint sends, and a resume from the last. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { CheckpointList, StoredFileList, type SyncMode } from "../../src/contract/index.ts";
import { BenchAgent, type Ground, until } from "./storage-agent.ts";
import type { Took } from "./storage-rounds.ts";
import type { Sizes } from "./storage-sizes.ts";
import { type CountingWire, openCountingWire } from "./storage-wire.ts";

export interface Growth {
  mode: SyncMode;
  /** At the beginning, and what comes on top each time. */
  beginningBytes: number;
  growthBytes: number;
  /** On the agent's wire, for each growth. */
  sentBytes: number[];
  /** As the API lists the generations; of a mirror there are none. */
  newBytes: number[];
  /** As the attempt reported it: the file's first copy and all growths. */
  uploadedBytes: number;
  peakBytes: number;
}

/** Grows when it is told to; where a sum is known it was sent on from another machine, and compares. */
const program = `
if [ -e "$1/sum" ]; then exec sha256sum --check --quiet "$1/sum"; fi
cp "$0" out/growing || exit
n=1
while [ $n -le $2 ]; do
  until [ -e "$1/grow-$n" ]; do sleep 0.1; done
  head -c $3 /dev/urandom >> out/growing || exit
  n=$((n + 1))
done
until [ -e "$1/end" ]; do sleep 0.1; done
`;

/** Long enough for the writing of one growth, short beside what is measured. */
const quietSeconds = 0.5;

export async function growAsMirror(ground: Ground, source: string, sizes: Sizes): Promise<Growth> {
  const growing = await Growing.begin(ground, "mirror", source, sizes, sizes.mirroredGrowths);
  try {
    const growth = await growing.grow();
    await growing.sign("end", "");
    await growing.agent.says("reported completed");
    return { ...growth, ...(await growing.conclusion()) };
  } finally {
    await growing.clear();
  }
}

export async function growAsSnapshot(
  ground: Ground,
  source: string,
  sizes: Sizes,
): Promise<{ growth: Growth; resume: Took }> {
  const growing = await Growing.begin(ground, "snapshot", source, sizes, sizes.growths);
  try {
    const growth = await growing.grow();
    const sum = await sha256Of(join(growing.agent.directory, "out/growing"));
    await growing.sign("sum", `${sum}  out/growing\n`);
    const peak = growing.agent.peakBytes();
    await growing.agent.stop();
    const conclusion = { ...(await growing.conclusion()), peakBytes: peak };
    await rm(growing.agent.directory, { recursive: true, force: true });
    ground.tell("the snapshot resumes on another machine");
    return { growth: { ...growth, ...conclusion }, resume: await growing.resume() };
  } finally {
    await growing.clear();
  }
}

class Growing {
  agent: BenchAgent;
  readonly #ground: Ground;
  readonly #mode: SyncMode;
  readonly #sizes: Sizes;
  readonly #growths: number;
  readonly #jobId: string;
  readonly #control: string;
  readonly #wire: CountingWire;

  private constructor(
    ground: Ground,
    mode: SyncMode,
    sizes: Sizes,
    growths: number,
    jobId: string,
    control: string,
    wire: CountingWire,
  ) {
    this.#ground = ground;
    this.#mode = mode;
    this.#sizes = sizes;
    this.#growths = growths;
    this.#jobId = jobId;
    this.#control = control;
    this.#wire = wire;
    this.agent = new BenchAgent(ground, `${mode}-1`, mode, wire.url);
  }

  static async begin(ground: Ground, mode: SyncMode, source: string, sizes: Sizes, growths: number) {
    const control = join(ground.directory, `${mode}-control`);
    await mkdir(control);
    const place = { prefix: `${mode}/`, local_path: "./out", mode };
    const timing = mode === "snapshot" ? { quiet_seconds: quietSeconds, min_interval_seconds: 0 } : {};
    const [job] = await ground.client.submit([
      {
        command: "sh",
        arguments: ["-c", program, source, control, String(growths), String(sizes.growthBytes)],
        container_group_id: mode,
        max_failures: 1,
        sync: {
          before: mode === "snapshot" ? [{ ...place, direction: "download" }] : [],
          during: [{ ...place, ...timing, direction: "upload" }],
        },
      },
    ]);
    if (!job) throw new Error("the API took no job");
    const wire = await openCountingWire(ground.api.port);
    return new Growing(ground, mode, sizes, growths, job.id, control, wire);
  }

  async grow() {
    const { growingBytes, growthBytes } = this.#sizes;
    const sentBytes: number[] = [];
    await this.#arrives(growingBytes);
    this.#ground.tell(`${this.#mode}: the file's first copy is up`);
    for (let n = 1; n <= this.#growths; n++) {
      const before = this.#wire.sentBytes();
      await this.sign(`grow-${n}`, "");
      await this.#arrives(growingBytes + n * growthBytes);
      sentBytes.push(this.#wire.sentBytes() - before);
      this.#ground.tell(`${this.#mode}: growth ${n} of ${this.#growths}: ${sentBytes.at(-1)} bytes sent`);
    }
    return { mode: this.#mode, beginningBytes: growingBytes, growthBytes, sentBytes };
  }

  /** For the command, which looks whether it is there. */
  async sign(name: string, text: string): Promise<void> {
    await writeFile(join(this.#control, name), text);
  }

  async conclusion() {
    const attempts = await this.#ground.client.attempts(this.#jobId);
    const { checkpoints } = CheckpointList.parse(await this.#ask(`/jobs/${this.#jobId}/checkpoints`));
    const newBytes = checkpoints.map(({ bytes_new }) => bytes_new).reverse();
    const uploadedBytes = attempts.find(({ number }) => number === 1)?.bytes_uploaded ?? Number.NaN;
    return { uploadedBytes, newBytes, peakBytes: this.agent.peakBytes() };
  }

  /** On another machine, in an empty directory. */
  async resume(): Promise<Took> {
    this.agent = new BenchAgent(this.#ground, `${this.#mode}-2`, this.#mode, this.#wire.url);
    const began = await this.agent.says("job claimed");
    const ended = await this.agent.says("downloads done");
    const peakBytes = this.agent.peakBytes();
    await this.agent.says("reported completed");
    return { seconds: (ended.timeMs - began.timeMs) / 1000, peakBytes };
  }

  async clear(): Promise<void> {
    await this.agent.kill();
    this.#wire.close();
    await rm(this.agent.directory, { recursive: true, force: true });
  }

  /** Waits until the storage has the file in that size. */
  async #arrives(bytes: number): Promise<void> {
    if (this.#mode === "snapshot") {
      await this.agent.says("snapshot committed", ({ bytes_total }) => bytes_total === bytes);
      return;
    }
    await until(async () => {
      const { files } = StoredFileList.parse(await this.#ask(`/files?prefix=${this.#mode}/`));
      return files.find(({ size }) => size === bytes);
    });
  }

  async #ask(path: string): Promise<unknown> {
    const { api, client } = this.#ground;
    const answer = await fetch(`${api.url}${path}`, { headers: { "x-kelpie-key": client.key } });
    if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
