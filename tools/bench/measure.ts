/** Times operations in rounds, beside the bare route of the same Worker, so that noise of the machine hits both. */
import { Pool } from "undici";

export interface Operation {
  name: string;
  /** One request; throws when the answer is not the one wanted. */
  run(client: Client): Promise<void>;
}

export interface Measured {
  name: string;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Throughput over that of the bare route in the same rounds: median of the rounds' ratios. */
  ratio: number;
}

export interface Answer {
  status: number;
  body: string;
}

export class Client {
  readonly #pool: Pool;
  readonly #key: string;

  constructor(url: string, connections: number, key: string) {
    this.#pool = new Pool(url, { connections, pipelining: 1 });
    this.#key = key;
  }

  async send(method: "GET" | "POST" | "DELETE", path: string, body?: string): Promise<Answer> {
    const answer = await this.#pool.request({
      method,
      path,
      body: body ?? null,
      headers: { "x-kelpie-key": this.#key, "content-type": "application/json" },
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

export function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status)
    throw new Error(`${answer.status} instead of ${status}: ${answer.body.slice(0, 300)}`);
  return answer;
}

export const bare: Operation = {
  name: "bare route",
  run: async (client) => {
    expectStatus(await client.send("GET", "/bare"), 200);
  },
};

/** What a body costs on its way, whoever reads it: the route answers the same constant. */
export const barePost: Operation = {
  name: "bare route, POST",
  run: async (client) => {
    expectStatus(await client.send("POST", "/bare", '{"machine_id":"bench"}'), 200);
  },
};

interface Round {
  perSecond: number;
  timesMs: number[];
}

/** `requests` of one operation, `clients` at a time. */
export async function runRound(
  operation: Operation,
  client: Client,
  clients: number,
  requests: number,
): Promise<Round> {
  const timesMs: number[] = [];
  let left = requests;
  const beganMs = performance.now();
  const work = async () => {
    while (left-- > 0) {
      const sentMs = performance.now();
      await operation.run(client);
      timesMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
  return { perSecond: (requests * 1000) / (performance.now() - beganMs), timesMs };
}

export interface Plan {
  clients: number;
  requests: number;
  rounds: number;
}

const leastBareRequests = 30;

/**
 * Rounds of all operations in turn, the bare route before and after each: a disturbance of some seconds hits one round of
 * several operations rather than all rounds of one.
 */
export async function measure(operations: Operation[], client: Client, plan: Plan): Promise<Measured[]> {
  const round = (operation: Operation, requests = plan.requests) =>
    runRound(operation, client, plan.clients, requests);
  const measured = operations.map((operation) => ({
    operation,
    rounds: [] as Round[],
    ratios: [] as number[],
  }));
  for (const operation of operations) await round(operation, Math.ceil(plan.requests / 2));
  for (let n = 0; n < plan.rounds; n++) {
    // A round of three batches is long enough; one of three bare requests would be a throw of the dice.
    const bareRound = () => round(bare, Math.max(plan.requests, leastBareRequests));
    let before = await bareRound();
    for (const { operation, rounds, ratios } of measured) {
      const own = await round(operation);
      const after = await bareRound();
      rounds.push(own);
      ratios.push(own.perSecond / ((before.perSecond + after.perSecond) / 2));
      before = after;
    }
  }
  return measured.map(({ operation, rounds, ratios }) => {
    const timesMs = rounds.flatMap((own) => own.timesMs).sort((a, b) => a - b);
    return {
      name: operation.name,
      perSecond: median(rounds.map((own) => own.perSecond)),
      p50Ms: quantile(timesMs, 0.5),
      p99Ms: quantile(timesMs, 0.99),
      ratio: median(ratios),
    };
  });
}

export function median(values: number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** Of sorted values. */
function quantile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
