/** Every route × nobody, a node, a person, the admin: as the route declares it. */
import { beforeAll, expect, test } from "vitest";
import type { Token } from "../../../src/contract/index.ts";
import { adminKey, send, signUp } from "../http/client.ts";
import { everyRoute, pathOf } from "./routes.ts";

let person: string;
let node: string;
beforeAll(async () => {
  const user = await signUp("roles");
  person = user.key;
  const body = { role: "node", container_group_id: "group" };
  node = (await send<Token>("POST", "/users/me/tokens", { key: person, body })).body.token;
});

const routes = everyRoute();

test("there are routes, and each declares its access", () => {
  expect(routes.length).toBeGreaterThan(35);
  expect(routes.filter(({ access }) => access === undefined)).toEqual([]);
  // Whoever adds to these has to say so here.
  expect(routes.filter(({ access }) => access === "anyone").map(({ name }) => name)).toEqual([
    "GET /health",
    "GET /ready",
    "GET /storage/object",
    "PUT /storage/object",
    "GET /openapi.json",
  ]);
});

/** No JSON: refused for what it says, where it is not refused for who says it. */
const bodyOf = (method: string) => (method === "POST" || method === "PUT" ? "{" : undefined);

test.each(routes)("$name, for $access", async ({ method, path, access }) => {
  const url = pathOf(path);
  const asks = async (key?: string) => {
    const body = bodyOf(method);
    const { status, body: answer } = await send(method, url, {
      ...(key ? { key } : {}),
      ...(body ? { body } : {}),
    });
    return { status, said: answer && "message" in answer ? answer.message : "" };
  };
  const nobody = await asks();
  if (access === "anyone") {
    expect(nobody.status).not.toBe(401);
    return;
  }
  expect(nobody.status).toBe(401);

  const asNode = await asks(node);
  const asPerson = await asks(person);
  if (access === "admin") {
    expect([asNode.status, asPerson.status]).toEqual([403, 403]);
    expect(asNode.said + asPerson.said).toBe("only the admin may do thisonly the admin may do this");
    return;
  }
  expect(asPerson.said).not.toContain("only the admin");
  expect(asPerson.status).not.toBe(401);
  expect([401, 403]).not.toContain(asPerson.status);
  if (access === "people") expect(asNode).toEqual({ status: 403, said: "a node may not do this" });
  else expect(asNode.said).not.toBe("a node may not do this");
});

test.each(routes.filter(({ access }) => access === "admin"))(
  "$name lets the admin",
  async ({ method, path }) => {
    const body = bodyOf(method);
    const { status } = await send(method, pathOf(path), { key: adminKey, ...(body ? { body } : {}) });
    expect([401, 403]).not.toContain(status);
  },
);
