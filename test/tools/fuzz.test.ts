/** What the fuzz knows beside the schemas: which id is whose, what a request needs before it, and which fields go together. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { contentOf } from "../../tools/fuzz/content.ts";
import { readDocument } from "../../tools/fuzz/document.ts";
import { Experience } from "../../tools/fuzz/experience.ts";
import { settleFields } from "../../tools/fuzz/field-rules.ts";
import { Memory, memberNameIn } from "../../tools/fuzz/memory.ts";
import { Random } from "../simulation/world/random.ts";

const memberName = memberNameIn([
  "/users",
  "/users/{id}/token",
  "/users/{id}/tokens/{token_id}",
  "/jobs/{id}",
]);
const route = (text: string) => {
  const [method = "", path = ""] = text.split(" ");
  return { method, path, route: text };
};

describe("the memory", () => {
  const wanted = ["id", "token_id"];

  test("a token's id is not taken for its user's", () => {
    const memory = new Memory(memberName);
    memory.learn(route("POST /users/{id}/token"), { id: "user" }, { id: "token" });
    const known = memory.recall("/users/{id}/tokens/{token_id}", new Random(1), wanted);
    expect(known?.facts).toMatchObject({ id: "user", token_id: "token" });
  });

  test("what was removed is known no longer, the rest is", () => {
    const memory = new Memory(memberName);
    const told = { tokens: [{ id: "first" }, { id: "second" }] };
    memory.learn(route("GET /users/{id}/tokens"), { id: "user" }, told);
    memory.drop("/users/{id}/tokens/{token_id}", { id: "user", token_id: "second" });
    for (let seed = 0; seed < 20; seed++)
      expect(memory.recall("/users", new Random(seed), wanted)?.facts).toMatchObject({ token_id: "first" });
  });

  test("a thing is in the state in which a request has left it, for every route; a GET changes nothing", () => {
    const memory = new Memory(memberName);
    const held = { id: "job", lease_token: "token" };
    memory.learn(route("GET /work"), {}, [held]);
    memory.learn(route("DELETE /jobs/{id}"), { id: "job" }, { message: "canceled" });
    memory.learn(route("GET /jobs/{id}/attempts"), { id: "job" }, { attempts: [] }, "DELETE /jobs/{id}");
    for (let seed = 0; seed < 20; seed++)
      expect(memory.recall("/jobs/{id}/retry", new Random(seed), ["id"])?.state).toBe("DELETE /jobs/{id}");
  });

  test("of several things, one in the state of which most is hoped for", () => {
    const memory = new Memory(memberName);
    memory.learn(route("POST /jobs/{id}/completed"), { id: "ended" }, {});
    memory.learn(route("GET /work"), {}, [{ id: "held", lease_token: "token" }]);
    const hope = (state: string) => (state === "POST /jobs/{id}/completed" ? 0.9 : 0.1);
    for (let seed = 0; seed < 20; seed++)
      expect(memory.recall("/jobs/{id}/retry", new Random(seed), ["id"], hope)?.facts.id).toBe("ended");
  });

  test("a URL is taken with its method and path, and with what it was asked for", () => {
    const memory = new Memory(memberName);
    const grant = { method: "PUT", url: "http://a.test/storage/object?key=k", headers: {} };
    const { granted } = memory.learn(
      route("POST /files/urls"),
      { key: "k" },
      { ...grant },
      "PUT /files/{key}",
    );
    expect(granted).toHaveLength(1);
    expect(memory.takeGrant(route("GET /storage/object"))).toBeUndefined();
    const taken = memory.takeGrant(route("PUT /storage/object"));
    expect(taken).toMatchObject({ by: "POST /files/urls", state: "PUT /files/{key}" });
    expect(memory.takeGrant(route("PUT /storage/object"))).toBeUndefined();
  });
});

describe("experience", () => {
  test("the untried comes before what has failed, and after what has worked", () => {
    const experience = new Experience();
    experience.note("retry", "running", false);
    expect(experience.best("retry")).toBeUndefined();
    experience.note("retry", "completed", true);
    const rates = ["running", "untried", "completed"].map((state) => experience.rate("retry", state));
    expect(rates).toEqual([...rates].sort());
    expect(new Set(rates).size).toBe(3);
    expect(experience.best("retry")).toBe("completed");
    expect(experience.best("cancel")).toBeUndefined();
  });
});

describe("the document", () => {
  const text = (json: object) => ({ content: { "application/json": { schema: json } } });
  const { operations } = readDocument(
    JSON.stringify({
      paths: {
        "/uploads": {
          post: {
            security: [{ KelpieKey: [] }, { SaladApiKey: [] }, { NodeToken: [] }],
            parameters: [{ name: "id", in: "path", required: true, schema: {} }],
            requestBody: text({ $ref: "#/components/schemas/Begin" }),
            responses: {
              200: text({ properties: { upload_id: {} } }),
              400: text({ properties: { error: {} } }),
            },
          },
          get: {
            security: [{ KelpieKey: [] }, { SaladApiKey: [] }],
            responses: { 200: text({ properties: { list: { items: { properties: { url: {} } } } } }) },
          },
        },
        "/users": { get: { security: [{ KelpieKey: [] }], responses: {} } },
        "/open": { get: { responses: {} } },
      },
      components: { schemas: { Begin: { required: ["key"], properties: { key: {}, size: {} } } } },
    }),
  );
  const [begin, list, users, open] = operations;

  test("says who may call: nobody is asked, the admin, people, nodes too", () => {
    expect(open?.mayCall).toEqual(["admin", "user", "node"]);
    expect(users?.mayCall).toEqual(["admin"]);
    expect(list?.mayCall).toEqual(["admin", "user"]);
    expect(begin?.mayCall).toEqual(["admin", "user", "node"]);
  });

  test("says what a request needs, and what its answer tells", () => {
    expect(begin?.required).toEqual(["id", "key"]);
    expect([...(begin?.tells ?? [])]).toEqual(["upload_id"]);
    expect([...(list?.tells ?? [])]).toEqual(expect.arrayContaining(["list", "url"]));
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

  test("bytes are what their MD5 says", () => {
    const object = settled({ size: 3, md5: "0".repeat(32) }, ["size", "md5"]);
    expect(object.md5).toBe(createHash("md5").update(contentOf(3)).digest("hex"));
    expect(settled({ size: 3 }, ["size", "md5"])).toEqual({ size: 3 });
  });
});
