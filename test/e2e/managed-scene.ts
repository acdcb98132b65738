/** Jobs of test/e2e/jobs in managed storage, on agents that have no storage credential. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Job } from "../../src/contract/index.ts";
import type { SubmittedJob } from "../../tools/local-client.ts";
import { heartbeatIntervalSeconds, type Scene, type Stack, until } from "./stack.ts";

/** A line of a job's own log (jobs/program.mjs). */
const JobEvent = z.object({
  time: z.number(),
  pid: z.int(),
  machine: z.string(),
  event: z.enum(["start", "resume", "step", "save", "stop", "done", "wrong"]),
  step: z.int().optional(),
  why: z.string().optional(),
});
export type JobEvent = z.infer<typeof JobEvent>;

/** A busy machine may take its time; on a quiet one everything is there much sooner. */
const patienceMs = 150_000;

export interface ManagedScene extends Pick<Scene, "agent" | "tails"> {
  submit(
    program: string,
    job: { environment?: Record<string, string | number> } & Pick<SubmittedJob, "sync" | "priority">,
  ): Promise<Job>;
  events(): JobEvent[];
  /** A sign for the job: what it waits for, or `end`. */
  tell(what: string): void;
  until<T>(what: string, ask: () => T | undefined | false | Promise<T | undefined | false>): Promise<T>;
  completed(id: string): Promise<void>;
}

export function managedScene(stack: Stack, name: string): ManagedScene {
  const { agent, directory, tails, logPath } = stack.scene(name);
  const signs = join(directory, "signs");
  mkdirSync(signs, { recursive: true });
  const events = () => {
    const lines = existsSync(logPath) ? readFileSync(logPath, "utf8").split("\n").slice(0, -1) : [];
    return lines.map((line) => JobEvent.parse(JSON.parse(line)));
  };
  const scene: ManagedScene = {
    agent,
    tails,
    events,
    async submit(program, { environment = {}, ...job }) {
      const given = Object.entries(environment).map(([key, value]) => [key, String(value)]);
      const [submitted] = await stack.client.submit([
        {
          command: process.execPath,
          arguments: [join(import.meta.dirname, "jobs", program)],
          environment: { LOG: logPath, SIGNS: signs, ...Object.fromEntries(given) },
          container_group_id: name,
          heartbeat_interval: heartbeatIntervalSeconds,
          ...job,
        },
      ]);
      if (!submitted) throw new Error("The API answered an empty batch");
      return submitted;
    },
    tell: (what) => writeFileSync(join(signs, what), ""),
    // What a job has found to be wrong, no waiting will mend.
    until: (what, ask) =>
      until(
        what,
        () => {
          const wrong = events().find(({ event }) => event === "wrong");
          if (wrong) throw new Error(`The job found something wrong: ${wrong.why}\n${tails()}`);
          return ask();
        },
        scene,
        patienceMs,
      ),
    async completed(id) {
      const { status } = await scene.until("the job's end", async () => {
        const job = await stack.client.job(id);
        return !["pending", "running"].includes(job.status) && job;
      });
      if (status !== "completed") {
        const wrong = events().filter(({ event }) => event === "wrong");
        throw new Error(`The job is ${status}: ${JSON.stringify(wrong)}\n${tails()}`);
      }
    },
  };
  return scene;
}
