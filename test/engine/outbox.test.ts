/** What webhooks are to be told is written with the transition, and costs nothing where there is no webhook. */
import { describe, expect, test } from "vitest";
import { type Held, key, must, World, worldWithHolder, writes } from "./world.ts";

const webhook = "https://receiver.test/";
const all = JSON.stringify(["running", "completed", "failed", "canceled", "interrupted"]);
const everything = { webhook, webhook_events: all };

async function again(world: World, machineId: string): Promise<Held> {
  const held = must(await world.claim(machineId));
  await world.renew(held);
  return held;
}

describe("what is told", () => {
  test("running and completed, once each, with the attempt, and in numbers", async () => {
    const { world, held } = await worldWithHolder({ webhook });
    await world.settle(held, "completed");
    await world.settle(held, "completed");
    expect(world.outbox("a")).toEqual(["running/1", "completed/1"]);
    const [row] = world.d1.prepare("SELECT * FROM deliveries").all();
    expect(row).toMatchObject({
      user_id: key.userId,
      container_group_id: key.containerGroupId,
      url: webhook,
      machine_id: "m1",
      created: world.nowMs,
      due: world.nowMs,
      tries: 0,
    });
  });

  test("a failure with tries left is none of Kelpie's news, the last one is", async () => {
    const { world, held } = await worldWithHolder({ ...everything, max_failures: 2 });
    await world.settle(held, "failed");
    expect(world.outbox("a")).toEqual(["running/1"]);
    await world.settle(await again(world, "m2"), "failed");
    expect(world.outbox("a")).toEqual(["running/1", "running/2", "failed/2"]);
  });

  test("cancel and interruption on request only", async () => {
    for (const [fields, told] of [
      [{ webhook }, ["running/1", "running/2"]],
      [everything, ["running/1", "interrupted/1", "running/2", "canceled/2"]],
    ] as const) {
      const { world } = await worldWithHolder(fields);
      await world.advance(10 * 60_000);
      await again(world, "m2");
      await world.engine.cancel(key, "a");
      expect(world.outbox("a")).toEqual(told);
    }
  });

  test("a job that its node gives back is interrupted too", async () => {
    const { world, held } = await worldWithHolder(everything);
    await world.settle(held, "released");
    expect(world.outbox("a")).toEqual(["running/1", "interrupted/1"]);
  });

  test("an interruption that becomes a quarantine is a failure", async () => {
    const world = new World();
    world.addJob("a", everything);
    for (let n = 1; n <= 5; n++) {
      const held = must(await world.claim(`m${n}`));
      await world.engine.renew(key, held.machineId, [{ ...held, commandStarted: true }]);
      await world.advance(10 * 60_000);
    }
    expect(world.job("a").status).toBe("failed");
    expect(world.outbox("a").slice(-3)).toEqual(["interrupted/4", "running/5", "failed/5"]);
  });

  test("a report of a job that nobody claimed, a cancel of one that waits", async () => {
    const world = new World();
    world.addJob("a", everything);
    world.addJob("b", everything);
    await world.engine.settle(key, "a", "completed", { machineId: "client" }, {});
    await world.engine.cancel(key, "b");
    expect([world.outbox("a"), world.outbox("b")]).toEqual([["completed/0"], ["canceled/0"]]);
  });

  test("a purge cancels what runs, and takes the deliveries of what it removes along", async () => {
    const { world, held } = await worldWithHolder(everything);
    await world.settle(held, "released");
    world.addJob("b", { ...everything, priority: 5 });
    await again(world, "m2");
    await world.engine.purge(key);
    expect(world.outbox("a")).toEqual([]);
    expect(world.outbox("b")).toEqual(["running/1", "canceled/1"]);
  });
});

describe("when D1 fails", () => {
  test("a transition that was not applied tells nothing, one whose answer was lost tells once", async () => {
    const { world, held } = await worldWithHolder({ webhook });
    const ends = (statements: { sql: string; params: unknown[] }[]) =>
      writes(statements, "status = 'completed'");
    world.faultOf = (statements) => (ends(statements) ? "refused" : undefined);
    expect(await world.settle(held, "completed")).toMatchObject({ ok: false });
    expect(world.outbox("a")).toEqual(["running/1"]);
    world.faultOf = (statements) => (ends(statements) ? "answer-lost" : undefined);
    await world.settle(held, "completed");
    world.faultOf = () => undefined;
    await world.settle(held, "completed");
    await world.advance(60_000);
    expect(world.outbox("a")).toEqual(["running/1", "completed/1"]);
  });

  test("a batch that lands a second time writes nothing new", async () => {
    const { world, held } = await worldWithHolder({ webhook });
    let late = true;
    world.faultOf = (statements) => {
      if (!late || !writes(statements, "status = 'completed'")) return undefined;
      late = false;
      return "late";
    };
    await world.settle(held, "completed");
    expect(world.outbox("a")).toEqual(["running/1", "completed/1"]);
    world.applyLate();
    expect(world.outbox("a")).toEqual(["running/1", "completed/1"]);
  });
});

describe("what it costs", () => {
  async function statementsOf(fields: Record<string, string>) {
    const world = new World();
    world.addJob("a", fields);
    const counts: number[] = [];
    const cost = async (work: () => Promise<unknown>) => {
      const before = world.statements;
      await work();
      counts.push(world.statements - before);
    };
    let held: Held | undefined;
    await cost(async () => {
      held = must(await world.claim("m1"));
    });
    await cost(() => world.renew(must(held)));
    await cost(() => world.settle(must(held), "failed"));
    await cost(() => world.engine.cancel(key, "a"));
    return { counts, world };
  }

  test("one statement per transition of a job with a webhook, none of one without", async () => {
    expect((await statementsOf({})).counts).toEqual([3, 0, 3, 3]);
    expect((await statementsOf({ webhook })).counts).toEqual([4, 0, 4, 4]);
  });

  test("the sender hears of those only, once D1 has them", async () => {
    expect((await statementsOf({})).world.written).toEqual([]);
    expect((await statementsOf({ webhook })).world.written).toEqual(["a", "a", "a"]);
  });

  test("an object of an earlier version learns the column; what its rows do not know is told all the same", async () => {
    const { world, held } = await worldWithHolder({ webhook });
    world.storage.exec("ALTER TABLE leases DROP COLUMN webhook");
    world.restart();
    await world.settle(held, "completed");
    expect(world.outbox("a")).toEqual(["running/1", "completed/1"]);
    // And it starts a second time.
    world.restart();
  });

  test("an end that an earlier version has begun is told too", async () => {
    const { world, held } = await worldWithHolder({ webhook });
    world.faultOf = () => "refused";
    await world.settle(held, "completed");
    world.faultOf = () => undefined;
    world.storage.exec("UPDATE leases SET ending = json_remove(ending, '$.webhook')");
    world.restart();
    await world.advance(10_000);
    expect(world.outbox("a")).toEqual(["running/1", "completed/1"]);
  });
});
