import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { openRules } from "../support/rules.ts";
import { isoTime } from "../support/wire.ts";

promise(
  "2",
  "Scaling rules are created, read, changed and removed, by the id of their container group",
  () => {
    it("POST: 201 and the rule; GET, alone and in the list, tells the same", async (context) => {
      const salad = needSalad(context);
      const rules = await openRules(salad);
      const created = await rules.create({ min_replicas: 1, max_replicas: 3, idle_threshold_seconds: 120 });
      expect(created.status, created.text).toBe(201);
      expect(created.body).toMatchObject({
        ...{
          container_group_id: rules.group.id,
          min_replicas: 1,
          max_replicas: 3,
          idle_threshold_seconds: 120,
        },
        ...{
          org_name: salad.organization,
          project_name: salad.project,
          container_group_name: rules.group.name,
        },
        ...{ created: expect.stringMatching(isoTime), updated: expect.stringMatching(isoTime) },
      });
      expect(created.body.user_id).toMatch(/./);
      expect((await rules.get()).body).toEqual(created.body);
      const { body } = await rules.list();
      expect(body._count).toBe(body.rules.length);
      expect(body.rules).toContainEqual(created.body);
      await rules.remove();
    });

    it("a group that does not exist is a 400", async (context) => {
      const rules = await openRules(needSalad(context));
      expectError(await rules.create({ container_group_id: randomUUID() }), 400);
    });

    it("PATCH: any subset of the fields; of an unknown rule a 404", async (context) => {
      const rules = await openRules(needSalad(context));
      expectError(await rules.patch({ max_replicas: 7 }), 404);
      await rules.create();
      for (const subset of [
        { max_replicas: 9 },
        { min_replicas: 2, idle_threshold_seconds: 0 },
        { max_replicas: 4 },
      ]) {
        const patched = await rules.patch(subset);
        expect(patched.status, patched.text).toBe(200);
        expect(patched.body).toMatchObject(subset);
      }
      expect((await rules.get()).body).toMatchObject({
        min_replicas: 2,
        max_replicas: 4,
        idle_threshold_seconds: 0,
      });
      await rules.remove();
    });

    it("DELETE: 204, and it is gone", async (context) => {
      const rules = await openRules(needSalad(context));
      await rules.create();
      const removed = await rules.remove();
      expect([removed.status, removed.text]).toEqual([204, ""]);
      expectError(await rules.get(), 404);
    });
  },
);
