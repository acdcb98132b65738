/** A queue of its own for each test, asked as people and as Kelpie's workers ask. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type Answer, call } from "./call.ts";
import { settings } from "./settings.ts";
import type { Job } from "./wire.ts";

/** Seconds: short enough to wait for a lease to end, and long enough for a holder's next call on a busy machine. */
export const shortInterval = 3;

const used: { key: string; group: string }[] = [];
/** Empties the queues that a file has used, so that a shared deployment keeps no open job of ours. */
export async function clearQueues(): Promise<void> {
  for (const { key, group } of used.splice(0)) {
    await call("DELETE", `/jobs/container-groups/${group}`, { key, undocumented: true });
  }
}

export interface Queue {
  readonly key: string;
  readonly group: string;
  /** A job that runs nothing in particular, pending. */
  submit(fields?: Record<string, unknown>): Promise<Job>;
  job(id: string): Promise<Job>;
  /** One poll of a worker: the job that it is handed, if any. */
  claim(machine: string): Promise<Job | undefined>;
  heartbeat(id: string, machine: string): Promise<Answer<{ status: string }>>;
  completed(id: string, machine: string): Promise<Answer<{ message: string }>>;
  failed(id: string, machine: string): Promise<Answer<{ message: string }>>;
  cancel(id: string): Promise<Answer<{ message: string }>>;
  purge(): Promise<Answer<{ count: number }>>;
}

/** `group`: to meet another user's queue of the same name. */
export function openQueue(key = settings.alice.key, group: string = randomUUID()): Queue {
  used.push({ key, group });
  const body = (machine: string) => ({ machine_id: machine, container_group_id: group });
  const tell = <T>(id: string, what: string, machine: string) =>
    call<T>("POST", `/jobs/${id}/${what}`, { key, body: body(machine) });
  return {
    key,
    group,
    async submit(fields = {}) {
      const answer = await call<Job>("POST", "/jobs", {
        key,
        body: { command: "true", container_group_id: group, sync: {}, ...fields },
      });
      expect(answer.status, answer.text).toBe(202);
      return answer.body;
    },
    async job(id) {
      const answer = await call<Job>("GET", `/jobs/${id}`, { key });
      expect(answer.status, answer.text).toBe(200);
      return answer.body;
    },
    async claim(machine) {
      const query = new URLSearchParams(body(machine));
      const answer = await call<Job[]>("GET", `/work?${query}`, { key });
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body.length).toBeLessThanOrEqual(1);
      return answer.body[0];
    },
    heartbeat: (id, machine) => tell(id, "heartbeat", machine),
    completed: (id, machine) => tell(id, "completed", machine),
    failed: (id, machine) => tell(id, "failed", machine),
    cancel: (id) => call("DELETE", `/jobs/${id}`, { key }),
    purge: () => call("DELETE", `/jobs/container-groups/${group}`, { key }),
  };
}

const usualPatienceMs = 60_000;

/** Asks again and again until there is an answer that counts. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  patienceMs = usualPatienceMs,
): Promise<T> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    const found = await ask();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadlineMs) throw new Error(`waited ${patienceMs} ms in vain for ${what}`);
    await sleep(200);
  }
}

/** Until the job's holder, silent since its claim, has lost it. */
export const interrupted = (queue: Queue, id: string) =>
  until("the end of the lease", async () => (await queue.job(id)).status === "pending");
