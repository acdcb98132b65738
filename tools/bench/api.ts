/**
 * `npm run bench -- api`: every hot operation beside the bare route of the same Worker, 1 and 32 clients, short and long
 * queues. What counts is the ratio; the absolute figures are this machine's, with client and server on the same cores.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClaimedJob, Job } from "../../src/contract/index.ts";
import { startLocalApi } from "../local-api.ts";
import { createClient } from "../local-client.ts";
import {
  bare,
  barePost,
  Client,
  expectStatus,
  type Measured,
  measure,
  type Operation,
  type Plan,
} from "./measure.ts";
import { measureStart, type StartLatency } from "./start.ts";

const depths = [1_000, 200_000];
const machine = { machine_id: "bench" };

/** D1 statements per operation; test/api/lease/statement-counts.test.ts holds the API to them. */
const statements: Record<string, string> = {
  "bare route": "0",
  "bare route, POST": "0",
  heartbeat: "0",
  "renew 2 leases": "0",
  create: "1",
  get: "1",
  "get, running": "1",
  claim: "2 + 1/128",
  "claim + completed": "4 + 1/128",
  "batch of 1,000": "1",
};

/** What is wanted of the ratios at 32 clients. */
const aims: Record<string, string> = {
  heartbeat: "0.85",
  create: "0.55",
  get: "0.6",
  claim: "0.5",
};
/** …and of what takes longer than a request, in bare requests of one client. */
const aimBareRequests = 20;

export async function benchApi(quick: boolean): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "kelpie-bench-"));
  const api = await startLocalApi({ persistTo: directory });
  try {
    const { key } = await createClient(api, "bench");
    let queued = 0;
    for (const depth of quick ? depths.slice(0, 1) : depths) {
      for (const clients of [1, 32]) {
        const client = new Client(api.url, clients, key);
        const plan: Plan = { clients, requests: clients === 1 ? 100 : 400, rounds: quick ? 2 : 5 };
        // What the claims will eat comes on top, so that the queue never gets shorter than it is said to be.
        const needed = depth + 2 * plan.requests * (plan.rounds + 1) + holders;
        for (; queued < needed; queued += 1000) await fill(client);
        const operations = await hotOperations(client);
        const rows = await measure([bare, barePost, ...operations], client, plan);
        const [batch] = await measure([batchOf1000], client, { ...plan, clients: 1, requests: 3 });
        await client.close();
        queued -= needed - depth;
        show(
          `queue of ${depth.toLocaleString("en")} jobs, ${clients} client${clients > 1 ? "s" : ""}`,
          rows,
          batch,
        );
      }
      const startedIn = join(directory, `start-${depth}`);
      showStart(depth, await measureStart(api, key, startedIn, quick ? 5 : 25));
    }
  } finally {
    await api.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const job = (group: string) => ({
  command: "python",
  arguments: ["train.py"],
  container_group_id: group,
  sync: {},
  // Long enough that nothing expires while it is measured.
  heartbeat_interval: 3600,
});

async function fill(client: Client): Promise<void> {
  const body = JSON.stringify(Array.from({ length: 1000 }, () => job("deep")));
  expectStatus(await client.send("POST", "/jobs/batch", body), 202);
}

/** Leases that the heartbeats go to. */
const holders = 32;

const group = { ...machine, container_group_id: "deep" };
const holder = (claimed: ClaimedJob) => ({ attempt: claimed.attempt, lease_token: claimed.lease_token });

async function hotOperations(client: Client): Promise<Operation[]> {
  /** Without a claim id the lease holds from the answer; with one it is provisional until a renewal. */
  const claimOne = async (claimId?: string): Promise<ClaimedJob> => {
    const path = `/work?machine_id=bench&container_group_id=deep${claimId ? `&claim_id=${claimId}` : ""}`;
    const [claimed] = JSON.parse(expectStatus(await client.send("GET", path), 200).body) as ClaimedJob[];
    if (!claimed) throw new Error("the queue is empty: fill it deeper");
    return claimed;
  };
  const held = await Promise.all(Array.from({ length: holders }, () => claimOne(crypto.randomUUID())));
  const waiting = JSON.parse(
    expectStatus(await client.send("GET", "/jobs?status=pending&page_size=100"), 200).body,
  ) as {
    jobs: Job[];
  };
  const leases = held.map((claimed) => ({ job_id: claimed.id, ...holder(claimed) }));
  const acknowledged = await client.send("POST", "/leases/renew", JSON.stringify({ ...group, leases }));
  expectStatus(acknowledged, 200);
  const given = new Set(held.map((claimed) => claimed.id));
  const pick = <T>(list: T[], n: number): T => {
    const item = list[n % list.length];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  };
  let n = 0;
  const create = JSON.stringify(job("created"));
  const post = async (path: string, body: unknown, status: number) => {
    expectStatus(
      await client.send("POST", path, typeof body === "string" ? body : JSON.stringify(body)),
      status,
    );
  };
  const claimNew = async () => {
    const claimed = await claimOne();
    if (given.has(claimed.id)) throw new Error(`job ${claimed.id} was handed out twice`);
    given.add(claimed.id);
    return claimed;
  };
  return [
    {
      name: "heartbeat",
      run: () => {
        const claimed = pick(held, n++);
        return post(`/jobs/${claimed.id}/heartbeat`, { ...group, ...holder(claimed) }, 200);
      },
    },
    {
      name: "renew 2 leases",
      run: () => {
        const leases = [pick(held, n++), pick(held, n++)].map((c) => ({ job_id: c.id, ...holder(c) }));
        return post("/leases/renew", { ...group, leases }, 200);
      },
    },
    { name: "create", run: () => post("/jobs", create, 202) },
    {
      name: "get",
      run: async () => {
        expectStatus(await client.send("GET", `/jobs/${pick(waiting.jobs, n++).id}`), 200);
      },
    },
    {
      name: "get, running",
      run: async () => {
        expectStatus(await client.send("GET", `/jobs/${pick(held, n++).id}`), 200);
      },
    },
    {
      name: "claim",
      run: async () => {
        await claimNew();
      },
    },
    {
      name: "claim + completed",
      run: async () => {
        const claimed = await claimNew();
        await post(`/jobs/${claimed.id}/completed`, { ...group, ...holder(claimed) }, 200);
      },
    },
  ];
}

const batchBody = JSON.stringify(Array.from({ length: 1000 }, () => job("batched")));
const batchOf1000: Operation = {
  name: "batch of 1,000",
  run: async (client) => {
    expectStatus(await client.send("POST", "/jobs/batch", batchBody), 202);
  },
};

function show(title: string, rows: Measured[], batch: Measured | undefined): void {
  console.log(`\n${title}`);
  console.log(
    `${"operation".padEnd(20)}${"ops/s".padStart(8)}${"p50 ms".padStart(9)}${"p99 ms".padStart(9)}${"ratio".padStart(8)}${"aim".padStart(6)}   D1 statements`,
  );
  for (const row of [...rows, ...(batch ? [batch] : [])]) {
    const figures = [
      row.perSecond.toFixed(row.perSecond < 100 ? 1 : 0).padStart(8),
      row.p50Ms.toFixed(1).padStart(9),
      row.p99Ms.toFixed(1).padStart(9),
      row.ratio.toFixed(2).padStart(8),
      (aims[row.name] ?? "").padStart(6),
    ];
    console.log(`${row.name.padEnd(20)}${figures.join("")}   ${statements[row.name] ?? ""}`);
  }
  if (batch) {
    const requests = (1 / batch.ratio).toFixed(1);
    console.log(`a batch of 1,000 takes the time of ${requests} bare requests (aim: ${aimBareRequests})`);
  }
}

function showStart(depth: number, { medianMs, slowestMs, bareMs }: StartLatency): void {
  const requests = (medianMs / bareMs).toFixed(1);
  const figures = `median ${medianMs.toFixed(1)} ms, slowest ${slowestMs.toFixed(1)} ms`;
  console.log(
    `\nqueues of ${depth.toLocaleString("en")} jobs: submit → the command of a waiting agent starts: ${figures}; the time of ${requests} bare requests (aim: ${aimBareRequests})`,
  );
}
