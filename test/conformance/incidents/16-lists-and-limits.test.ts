import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";
import { openRules } from "../support/rules.ts";
import { settings } from "../support/settings.ts";

const { key } = settings.alice;

promise("7.16", "Lists are bounded, and what is wrong is a 4xx", () => {
  it.each(["page_size=-1", "page_size=0", "page_size=1001", "page_size=x", "page=0", "page=-1", "asc=maybe"])(
    "%s is a 400",
    async (query) => {
      expectError(await call("GET", `/jobs?${query}`, { key }), 400);
    },
  );

  it("a 3 MB environment is a 400 or a 413, and nothing is inserted", async () => {
    const queue = openQueue();
    const environment = { BIG: "x".repeat(3_000_000) };
    const body = { command: "true", container_group_id: queue.group, sync: {}, environment };
    const answer = await call("POST", "/jobs", { key, body });
    expect([400, 413]).toContain(answer.status);
    expectError(answer, answer.status);
    expect(await queue.claim("m1")).toBeUndefined();
  });

  it("`started` tells when a job was first handed out, also after the next claim", async () => {
    const queue = openQueue();
    const { id } = await queue.submit({ heartbeat_interval: shortInterval });
    const first = await queue.claim("m1");
    await interrupted(queue, id);
    const second = await queue.claim("m2");
    expect(second?.id).toBe(id);
    expect(second?.started).toBe(first?.started);
  });

  it("`{}` as PATCH of a rule is a 400", async (context) => {
    const rules = await openRules(needSalad(context));
    await rules.create();
    expectError(await rules.patch({}), 400);
    await rules.remove();
  });

  it("a second rule of the same group is a 400, and the first stays", async (context) => {
    const rules = await openRules(needSalad(context));
    const first = await rules.create({ max_replicas: 3 });
    expectError(await rules.create({ max_replicas: 4 }), 400);
    expect((await rules.get()).body).toEqual(first.body);
    await rules.remove();
  });

  it("min > max is a 400, at creation and as what a PATCH would make", async (context) => {
    const rules = await openRules(needSalad(context));
    expectError(await rules.create({ min_replicas: 6, max_replicas: 5 }), 400);
    const rule = await rules.create({ min_replicas: 2, max_replicas: 5 });
    expectError(await rules.patch({ min_replicas: 6 }), 400);
    expectError(await rules.patch({ max_replicas: 1 }), 400);
    expect((await rules.get()).body).toEqual(rule.body);
    await rules.remove();
  });
});
