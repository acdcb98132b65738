/** D1 statements and bucket calls per operation of checkpoints, counted at the bindings: the bill. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { newGroup, signUp } from "../http/client.ts";
import { type Agent, begin, type User } from "./checkpoint-world.ts";

const counted = { d1: 0, bucket: 0 };

function countAll(): void {
  const database = Object.getPrototypeOf(env.DB) as D1Database;
  const batch = database.batch;
  database.batch = function counting<T>(this: D1Database, list: D1PreparedStatement[]) {
    counted.d1 += list.length;
    return batch.call(this, list) as Promise<D1Result<T>[]>;
  };
  const count = (owner: object, names: string[], kind: "d1" | "bucket") => {
    const methods = owner as Record<string, (...args: unknown[]) => unknown>;
    for (const name of names) {
      const original = methods[name];
      methods[name] = function counting(this: unknown, ...args: unknown[]) {
        counted[kind]++;
        return original?.apply(this, args);
      };
    }
  };
  count(Object.getPrototypeOf(env.DB.prepare("SELECT 1")), ["all", "first", "run", "raw"], "d1");
  count(Object.getPrototypeOf(env.CHECKPOINTS), ["get", "head", "list", "delete"], "bucket");
}

let user: User;
let agent: Agent;
beforeAll(async () => {
  user = await signUp("counted");
  agent = await begin(user, newGroup());
  countAll();
});

async function cost(work: () => Promise<unknown>): Promise<string> {
  const before = { ...counted };
  await work();
  return `${counted.d1 - before.d1} of D1, ${counted.bucket - before.bucket} of the bucket`;
}

test("what checkpoints cost", async () => {
  const costs: Record<string, string> = {};
  const chunk = await agent.put(1, "a");
  const manifest = await agent.manifest(1, null, [chunk]);
  costs["first commit"] = await cost(() => agent.commit(1, null, manifest));
  costs["commit repeated"] = await cost(() => agent.commit(1, null, manifest));
  const first = { attempt: 1, generation: 1 };
  const next = await agent.manifest(2, first, [chunk, await agent.put(2, "b")]);
  costs["commit on a base"] = await cost(() => agent.commit(2, first, next));
  costs["commit on another base"] = await cost(() => agent.commit(3, first, next));
  costs.head = await cost(() => agent.head());
  const second = { attempt: 1, generation: 2 };
  costs["doubt in vain"] = await cost(() => agent.doubt(second, chunk, "corrupt"));
  await env.CHECKPOINTS.put(`${agent.place}/1/${chunk[2]}`, "b");
  costs.doubt = await cost(() => agent.doubt(second, chunk, "corrupt"));
  costs.list = await cost(() => agent.checkpoints());
  expect(costs).toEqual({
    "first commit": "4 of D1, 2 of the bucket",
    "commit repeated": "2 of D1, 0 of the bucket",
    "commit on a base": "4 of D1, 3 of the bucket",
    "commit on another base": "2 of D1, 0 of the bucket",
    head: "1 of D1, 0 of the bucket",
    "doubt in vain": "1 of D1, 3 of the bucket",
    doubt: "3 of D1, 3 of the bucket",
    list: "2 of D1, 0 of the bucket",
  });
});
