import { describe, expect, test } from "vitest";
import type { SqlRecord } from "../../src/db/job-record.ts";
import type { Statement } from "../../src/db/statement.ts";
import { SharedBatches } from "../../src/group/shared-batches.ts";
import { key, World, writes } from "./world.ts";

const write = (sql: string): Statement[] => [
  { sql, params: [] },
  { sql: `${sql}'s effect`, params: [] },
];

/** A D1 that answers each statement with its own text, and refuses batches with a statement that says so. */
function recordingD1() {
  const batches: string[][] = [];
  return {
    batches,
    async batch(statements: Statement[]): Promise<SqlRecord[][]> {
      batches.push(statements.map(({ sql }) => sql));
      await Promise.resolve();
      if (statements.some(({ sql }) => sql.startsWith("bad"))) throw new Error("no such column");
      return statements.map(({ sql }) => [{ sql }]);
    },
  };
}

describe("writes at the same time", () => {
  test("two go at once, the others together when one is back; each gets its own rows", async () => {
    const d1 = recordingD1();
    const shared = new SharedBatches(d1);
    const answers = await Promise.all(["a", "b", "c", "d"].map((sql) => shared.batch(write(sql))));
    expect(d1.batches.map((batch) => batch.length)).toEqual([2, 2, 4]);
    expect(answers.map((rows) => rows[0]?.[0]?.sql)).toEqual(["a", "b", "c", "d"]);
  });

  test("one that hangs holds up nobody else", async () => {
    const d1 = recordingD1();
    const hung = Promise.withResolvers<SqlRecord[][]>();
    const shared = new SharedBatches({
      batch: (statements) => (statements[0]?.sql === "hangs" ? hung.promise : d1.batch(statements)),
    });
    const hanging = shared.batch(write("hangs"));
    await Promise.all(["a", "b", "c"].map((sql) => shared.batch(write(sql))));
    hung.resolve([[], []]);
    await hanging;
  });

  test("a transaction has a bound, and a caller's own statements stay together", async () => {
    const d1 = recordingD1();
    const shared = new SharedBatches(d1);
    const large = Array.from({ length: 150 }, () => write("large")).flat();
    const small = Array.from({ length: 60 }, (_, i) => shared.batch(write(`small ${i}`)));
    await Promise.all([...small, shared.batch(large)]);
    expect(d1.batches.map((batch) => batch.length)).toEqual([2, 2, 100, 16, 300]);
  });

  test("one that D1 refuses fails those beside it once; as long as others wait, it then fails alone", async () => {
    const d1 = recordingD1();
    const shared = new SharedBatches(d1);
    const outcomes: Record<string, string> = {};
    const send = async (name: string, sql: string) => {
      outcomes[name] = await shared.batch(write(sql)).then(
        () => "written",
        () => "failed",
      );
    };
    // Whoever fails repeats at once.
    await Promise.all([
      send("a", "a"),
      send("c", "c"),
      send("bad", "bad").then(() => send("bad, repeated", "bad")),
      send("b", "b").then(() => send("b, repeated", "b")),
    ]);
    expect(outcomes).toEqual({
      a: "written",
      c: "written",
      bad: "failed",
      b: "failed",
      "bad, repeated": "failed",
      "b, repeated": "written",
    });
  });
});

test("32 claims at once are three transactions, and 32 reports three more", async () => {
  const world = new World();
  for (let n = 0; n < 32; n++) world.addJob(`job-${n}`);
  let transactions = 0;
  world.faultOf = (statements) => {
    if (writes(statements, "UPDATE jobs")) transactions++;
    return undefined;
  };
  const claims = await Promise.all(Array.from({ length: 32 }, (_, n) => world.claim(`m${n}`)));
  expect(new Set(claims.map((held) => held?.jobId)).size).toBe(32);
  expect(transactions).toBe(3);
  const answers = await Promise.all(claims.map((held) => held && world.settle(held, "completed")));
  expect(answers.every((answer) => answer?.ok)).toBe(true);
  expect(transactions).toBe(6);
});

test("32 claims whose shared answer is lost: each reads back its own, none is lost or doubled", async () => {
  const world = new World();
  for (let n = 0; n < 32; n++) world.addJob(`job-${n}`);
  let left = 3;
  world.faultOf = (statements) =>
    writes(statements, "UPDATE jobs") && left-- > 0 ? "answer-lost" : undefined;
  const claims = await Promise.all(
    Array.from({ length: 32 }, (_, n) => world.engine.claim(key, { machineId: `m${n}`, claimId: `c${n}` })),
  );
  const jobs = claims.map((answer) => answer.ok && answer.job?.id);
  expect(new Set(jobs).size).toBe(32);
  expect(world.leases().every(({ phase }) => phase === "held")).toBe(true);
});
