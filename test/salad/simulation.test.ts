/** What the simulated SaladCloud does beyond what its specification says: how groups run, who may what, tokens, faults. */
import { createHmac, createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { CloudOptions } from "./cloud.ts";
import { type Controls, controlsAt, type TokenWish } from "./controls.ts";
import { SimulatedSalad } from "./simulated-salad.ts";

let salad: SimulatedSalad;
/** Set forth by hand: nothing here waits. */
let nowMs: number;
afterEach(() => salad.stop());

async function start(options: CloudOptions = {}): Promise<Controls> {
  nowMs = Date.now();
  salad = await SimulatedSalad.start({ nowMs: () => nowMs, ...options });
  // As from workerd.
  const controls = controlsAt(salad.url);
  await controls.addOrganization({ name: "acme", id: "organization-id", keys: ["key"] });
  return controls;
}

const project = "/organizations/acme/projects/default/containers";
async function ask(method: string, path: string, body?: unknown, key = "key") {
  const headers = { "Salad-Api-Key": key, "Content-Type": "application/merge-patch+json" };
  const response = await fetch(`${salad.apiUrl}${path}`, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}
const state = async (name: string) => (await ask("GET", `${project}/${name}`)).body.current_state;
async function askImds(id: string, method: string, path: string, body?: unknown) {
  const response = await fetch(`${salad.imdsUrl(id)}/v1${path}`, {
    method,
    headers: { Metadata: "true" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}

describe("how a group runs", () => {
  const pace = {
    allocatingMs: 100,
    downloadingMs: 100,
    creatingMs: 100,
    stoppingMs: 500,
  };

  test("from pending by deploying to running, and stopped while its instances still stop", async () => {
    const controls = await start({ pace, preparingMs: () => 1000 });
    await controls.addGroup({ organization: "acme", name: "gg", replicas: 2 });
    const counts = { allocating_count: 0, creating_count: 0, running_count: 0, stopping_count: 0 };
    const expectState = async (status: string, of: Partial<typeof counts>) =>
      expect(await state("gg")).toMatchObject({ status, instance_status_counts: { ...counts, ...of } });
    await expectState("pending", {});
    nowMs += 1000;
    await expectState("deploying", { allocating_count: 2 });
    nowMs += 100;
    await expectState("deploying", { creating_count: 2 });
    expect((await controls.listInstances({ organization: "acme" })).map((known) => known.state)).toEqual([
      "downloading",
      "downloading",
    ]);
    nowMs += 200;
    await expectState("running", { running_count: 2 });
    expect((await ask("POST", `${project}/gg/stop`)).status).toBe(202);
    await expectState("stopped", { stopping_count: 2 });
    nowMs += 500;
    await expectState("stopped", {});
  });

  test("scale-in takes the lowest deletion cost first, which IMDS and the public API set", async () => {
    const controls = await start();
    await controls.addGroup({ organization: "acme", name: "gg", replicas: 4 });
    const [a, b, c, d] = (await controls.listInstances({ organization: "acme" })).map(({ id }) => id);
    await askImds(a ?? "", "PUT", "/deletion-cost", { deletion_cost: 5 });
    await ask("PATCH", `${project}/gg/instances/${b}`, { deletion_cost: 9 });
    await askImds(c ?? "", "PUT", "/deletion-cost", { deletion_cost: -1 });
    await ask("PATCH", `${project}/gg/instances/${d}`, { deletion_cost: 7 });
    await ask("PATCH", `${project}/gg`, { replicas: 2 });
    expect((await controls.listInstances({ organization: "acme" })).map(({ id }) => id)).toEqual([b, d]);
  });

  test("a changed environment restarts all instances where they are; replicas restart none", async () => {
    const controls = await start();
    await controls.addGroup({ organization: "acme", name: "gg", replicas: 2 });
    const before = await controls.listInstances({ organization: "acme" });
    await ask("PATCH", `${project}/gg`, { replicas: 3, display_name: "Another" });
    const grown = await controls.listInstances({ organization: "acme" });
    expect(grown.slice(0, 2)).toEqual(before);
    await ask("PATCH", `${project}/gg`, { container: { environment_variables: { A: "1" } } });
    const restarted = await controls.listInstances({ organization: "acme" });
    expect(restarted.map(({ machineId }) => machineId)).toEqual(grown.map(({ machineId }) => machineId));
    const ids = [...grown, ...restarted].map(({ id }) => id);
    expect(new Set(ids).size).toBe(6);
  });

  test("a node that was reallocated away from is not given back for 48 hours", async () => {
    const controls = await start({ machines: 1 });
    await controls.addGroup({ organization: "acme", name: "gg", replicas: 1 });
    const [first] = await controls.listInstances({ organization: "acme" });
    await askImds(first?.id ?? "", "POST", "/reallocate", { reason: "its GPU fails" });
    expect(await controls.listInstances({ organization: "acme" })).toEqual([]);
    nowMs += 48 * 3_600_000;
    const [again] = await controls.listInstances({ organization: "acme" });
    expect(again?.machineId).toBe(first?.machineId);
    expect(again?.id).not.toBe(first?.id);
  });

  test("a machine that vanishes is replaced by another", async () => {
    const controls = await start();
    await controls.addGroup({ organization: "acme", name: "gg", replicas: 1 });
    const [first] = await controls.listInstances({ organization: "acme" });
    await controls.interruptInstance({ id: first?.id ?? "" });
    const [second] = await controls.listInstances({ organization: "acme" });
    expect(second?.machineId).not.toBe(first?.machineId);
    expect((await askImds(first?.id ?? "", "GET", "/status")).status).toBe(404);
  });

  test("moves beyond a minute's quota are a 429, by the public API and by IMDS alike", async () => {
    const controls = await start();
    await controls.addOrganization({ name: "slow", keys: ["key"], movesPerMinute: 1 });
    await controls.addGroup({ organization: "slow", name: "gg", replicas: 2 });
    const [a, b] = (await controls.listInstances({ organization: "slow" })).map(({ id }) => id);
    const reason = { reason: "its GPU fails" };
    expect((await askImds(a ?? "", "POST", "/reallocate", reason)).status).toBe(204);
    expect((await askImds(b ?? "", "POST", "/reallocate", reason)).status).toBe(429);
    const path = `/organizations/slow/projects/default/containers/gg/instances/${b}`;
    expect((await ask("POST", `${path}/reallocate`)).status).toBe(429);
    expect((await ask("POST", `${path}/restart`)).status).toBe(202);
  });
});

describe("keys", () => {
  test("reach what they were given, and nothing once revoked", async () => {
    const controls = await start();
    await controls.addOrganization({ name: "other", projects: ["one", "two"] });
    await controls.addKey({ key: "narrow", reach: [{ organization: "other", projects: ["one"] }] });
    const list = async (place: string) =>
      (await ask("GET", `/organizations/${place}/containers`, undefined, "narrow")).status;
    expect(await list("other/projects/one")).toBe(200);
    expect(await list("other/projects/two")).toBe(403);
    expect(await list("acme/projects/default")).toBe(403);
    await controls.revokeKey({ key: "narrow" });
    expect(await list("other/projects/one")).toBe(401);
  });

  test("may ask so often a minute, each by itself", async () => {
    await start({ requestsPerMinute: 3 });
    salad.controls.addKey({ key: "another", reach: [{ organization: "acme" }] });
    const statuses = async (key: string) => [
      (await ask("GET", project, undefined, key)).status,
      (await ask("GET", project, undefined, key)).status,
    ];
    expect(await statuses("key")).toEqual([200, 200]);
    expect(await statuses("key")).toEqual([200, 429]);
    expect(await statuses("another")).toEqual([200, 200]);
    nowMs += 60_000;
    expect(await statuses("key")).toEqual([200, 200]);
  });
});

describe("tokens", () => {
  type Part = Record<string, unknown>;
  const keySet = async () => {
    const published = (await (await fetch(salad.jwksUrl)).json()) as {
      keys: (JsonWebKey & { kid: string })[];
    };
    return published.keys;
  };
  const partsOf = (jwt: string) => {
    const [header = "", claims = "", signature = ""] = jwt.split(".");
    const decoded = (part: string): Part => JSON.parse(Buffer.from(part, "base64url").toString());
    return {
      header: decoded(header),
      claims: decoded(claims),
      signature: Buffer.from(signature, "base64url"),
      signed: `${header}.${claims}`,
    };
  };
  /** By the published key that its header names. */
  const isGenuine = async (jwt: string) => {
    const { header, signature, signed } = partsOf(jwt);
    const key = (await keySet()).find(({ kid }) => kid === header.kid);
    if (!key) return null;
    const publicKey = createPublicKey({ key, format: "jwk" });
    const verifier = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
    return verify("sha256", Buffer.from(signed), verifier, signature);
  };
  const wish: TokenWish = { organization: "acme", containerGroupId: "group-id", machineId: "machine-id" };

  test("an instance's tells its machine, group and organization, for five minutes", async () => {
    const controls = await start();
    const { id: groupId } = await controls.addGroup({ organization: "acme", name: "gg", replicas: 1 });
    const [instance] = await controls.listInstances({ organization: "acme" });
    const { body } = await askImds(instance?.id ?? "", "GET", "/token");
    const seconds = Math.floor(nowMs / 1000);
    expect(partsOf(body.jwt).header).toMatchObject({ alg: "ES256" });
    expect(partsOf(body.jwt).claims).toEqual({
      iss: expect.any(String),
      sub: instance?.machineId,
      aud: "organization-id",
      salad_organization_name: "acme",
      salad_workload_id: groupId,
      iat: seconds,
      nbf: seconds,
      exp: seconds + 300,
    });
    expect(await isGenuine(body.jwt)).toBe(true);
  });

  test("one is handed out again while more than three minutes of it are left", async () => {
    const controls = await start();
    await controls.addGroup({ organization: "acme", name: "gg", replicas: 1 });
    const [instance] = await controls.listInstances({ organization: "acme" });
    const token = async () => (await askImds(instance?.id ?? "", "GET", "/token")).body.jwt as string;
    const first = await token();
    nowMs += 119_000;
    expect(await token()).toBe(first);
    nowMs += 1000;
    expect(await token()).not.toBe(first);
  });

  test("two keys are published, the older signs, and a rotation brings one that was published before", async () => {
    const controls = await start();
    const first = (await controls.mintToken(wish)).jwt;
    const [older, newer] = await keySet();
    expect(partsOf(first).header.kid).toBe(older?.kid);
    expect(partsOf((await controls.mintToken({ ...wish, signedBy: "newer" })).jwt).header.kid).toBe(
      newer?.kid,
    );
    await controls.rotateSigningKeys();
    const second = (await controls.mintToken(wish)).jwt;
    expect(partsOf(second).header.kid).toBe(newer?.kid);
    expect([await isGenuine(first), await isGenuine(second)]).toEqual([null, true]);
  });

  test.each<[NonNullable<TokenWish["signedBy"]>, string, boolean | null]>([
    ["newer", "ES256", true],
    ["unknown", "ES256", null],
    ["forged", "ES256", false],
    ["none", "none", false],
    ["hmac", "HS256", false],
    ["rsa", "RS256", false],
  ])("odd ones: signed by %s (alg %s)", async (signedBy, alg, genuine) => {
    const controls = await start();
    const { jwt } = await controls.mintToken({ ...wish, signedBy });
    expect(partsOf(jwt).header.alg).toBe(alg);
    expect(await isGenuine(jwt)).toBe(genuine);
  });

  test("the one of HS256 is what a verifier would take that uses the public key as a secret", async () => {
    const controls = await start();
    const { jwt } = await controls.mintToken({ ...wish, signedBy: "hmac" });
    const { header, signature, signed } = partsOf(jwt);
    const key = (await keySet()).find(({ kid }) => kid === header.kid);
    const publicKey = createPublicKey({ key: key as JsonWebKey, format: "jwk" });
    const secret = publicKey.export({ format: "pem", type: "spki" });
    expect(createHmac("sha256", secret).update(signed).digest()).toEqual(signature);
  });

  test("odd ones: times, claims and header as told", async () => {
    const controls = await start();
    const { jwt } = await controls.mintToken({
      ...wish,
      ...{ issuedIn: -600, notBeforeIn: 60, expiresIn: -1 },
      claims: { aud: "another", sub: null },
      header: { kid: null, typ: "other" },
    });
    const seconds = Math.floor(nowMs / 1000);
    const { header, claims } = partsOf(jwt);
    expect(header).toEqual({ alg: "ES256", typ: "other" });
    expect(claims).toMatchObject({ aud: "another", iat: seconds - 600, nbf: seconds + 60, exp: seconds - 1 });
    expect(claims).not.toHaveProperty("sub");
  });
});

describe("faults", () => {
  test("act on what they name, as often as told, and are told apart from what was applied", async () => {
    const controls = await start();
    await controls.addGroup({ organization: "acme", name: "gg", replicas: 1 });
    const on = { method: "POST", path: "/gg/stop$", key: "key" };
    await controls.addFault({ kind: "problem", status: 503, times: 1, on });
    await controls.addFault({ kind: "problem", status: 500, times: 1, applied: true, on });
    expect((await ask("GET", `${project}/gg`)).status).toBe(200);
    expect((await ask("POST", `${project}/gg/stop`)).status).toBe(503);
    expect((await state("gg")).status).toBe("running");
    expect((await ask("POST", `${project}/gg/stop`)).status).toBe(500);
    expect((await state("gg")).status).toBe("stopped");
    expect((await ask("POST", `${project}/gg/stop`)).status).toBe(400);
  });

  test("html, hang, reset, slow; until they are cleared", async () => {
    const controls = await start();
    await controls.addFault({ kind: "html", status: 502, times: 1 });
    const page = await fetch(`${salad.apiUrl}${project}`, { headers: { "Salad-Api-Key": "key" } });
    expect([page.status, page.headers.get("content-type")]).toEqual([502, "text/html; charset=utf-8"]);
    expect(await page.text()).toMatch(/^<!DOCTYPE html>/);
    await controls.addFault({ kind: "reset", times: 1 });
    await expect(ask("GET", project)).rejects.toThrow();
    await controls.addFault({ kind: "slow", delayMs: 1, times: 1 });
    expect((await ask("GET", project)).status).toBe(200);
    await controls.addFault({ kind: "hang" });
    const patience = new AbortController();
    const hanging = fetch(`${salad.apiUrl}${project}`, { signal: patience.signal }).catch(() => "given up");
    while (!(await controls.listRequests()).some(({ key }) => key === null)) await Promise.resolve();
    patience.abort();
    expect(await hanging).toBe("given up");
    await controls.clearFaults();
    expect((await ask("GET", project)).status).toBe(200);
  });
});

test("what was asked is told, with the key and without the controls themselves", async () => {
  const controls = await start();
  await ask("GET", project);
  await ask("GET", project, undefined, "another");
  expect(await controls.listRequests()).toEqual([
    { method: "GET", path: `/api/public${project}`, key: "key" },
    { method: "GET", path: `/api/public${project}`, key: "another" },
  ]);
});

test("a control that is wrong says so", async () => {
  const controls = await start();
  await expect(controls.addOrganization({ name: "acme" })).rejects.toThrow("organization acme exists");
  await expect(controls.removeGroup({ id: "nobody" })).rejects.toThrow("there is no nobody");
  const answer = await fetch(`${salad.url}/control/toString`, { method: "POST" });
  expect(answer.status).toBe(404);
});
