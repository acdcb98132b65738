/** What the fuzz knows beside the schemas: which id is whose, and which fields go together. */
import { describe, expect, test } from "vitest";
import { settleFields } from "../../tools/fuzz/field-rules.ts";
import { Memory, memberNameIn } from "../../tools/fuzz/memory.ts";
import { Random } from "../simulation/world/random.ts";

const memberName = memberNameIn([
  "/users",
  "/users/{id}/token",
  "/users/{id}/tokens/{token_id}",
  "/jobs/{id}",
]);

describe("the memory", () => {
  const wanted = ["id", "token_id"];

  test("a token's id is not taken for its user's", () => {
    const memory = new Memory(memberName);
    memory.learn("/users/{id}/token", { id: "user" }, { id: "token" });
    const known = memory.recall("/users/{id}/tokens/{token_id}", new Random(1), wanted);
    expect(known).toMatchObject({ id: "user", token_id: "token" });
  });

  test("what was removed is known no longer, the rest is", () => {
    const memory = new Memory(memberName);
    memory.learn("/users/{id}/tokens", { id: "user" }, { tokens: [{ id: "first" }, { id: "second" }] });
    memory.drop("/users/{id}/tokens/{token_id}", { id: "user", token_id: "second" });
    for (let seed = 0; seed < 20; seed++)
      expect(memory.recall("/users", new Random(seed), wanted)).toMatchObject({ token_id: "first" });
  });
});

describe("fields that go together", () => {
  const token = ["role", "container_group_id", "expires", "expires_seconds"];
  const settled = (object: Record<string, unknown>, fields: string[]) =>
    settleFields(object, fields, new Random(1));

  test.each([
    [{ role: "user", container_group_id: "g" }, { role: "user" }],
    [{ container_group_id: "g" }, {}],
    [
      { role: "node", container_group_id: "g" },
      { role: "node", container_group_id: "g" },
    ],
  ])("a token %j becomes %j", (object, expected) => {
    expect(settled(object, token)).toEqual(expected);
  });

  test("a node's token has a group, no token two ends, no rule its bounds in the wrong order", () => {
    expect(settled({ role: "node" }, token)).toHaveProperty("container_group_id");
    expect(Object.keys(settled({ expires: "x", expires_seconds: 1 }, token))).toHaveLength(1);
    const bounds = { min_replicas: 9, max_replicas: 2 };
    expect(settled(bounds, Object.keys(bounds))).toEqual({ min_replicas: 2, max_replicas: 9 });
  });

  test("a group of what has no role is left alone", () => {
    expect(settled({ container_group_id: "g" }, ["container_group_id"])).toEqual({ container_group_id: "g" });
  });
});
