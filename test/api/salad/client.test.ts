/** What the client of Salad's API makes of what Salad answers, on the runtime that it runs on. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  getGroup,
  listGroups,
  listInstances,
  readQuota,
  reallocateInstance,
  type SaladAccess,
  setReplicas,
  startGroup,
  stopGroup,
} from "../../../src/salad/client.ts";
import type { FaultKind } from "../../salad/controls.ts";
import { newOrganization, newOrganizationName, requestsAbout, salad } from "./world.ts";

let organization: string;
let access: SaladAccess;
let groupId: string;
beforeAll(async () => {
  const made = await newOrganization(["default", "other"]);
  organization = made.name;
  access = { apiUrl: env.SALAD_API_URL, apiKey: made.key };
  ({ id: groupId } = await salad.addGroup({ organization, name: "trainers", replicas: 3 }));
});
afterEach(() => {
  vi.restoreAllMocks();
});

const list = (project = "default") => listGroups(access, organization, project);
/** The next request of this file's key fails so. */
const fail = (kind: FaultKind) => salad.addFault({ ...kind, times: 1, on: { key: access.apiKey } });

const instances = { allocating: 0, creating: 0, running: 3, stopping: 0 };

describe("what is there", () => {
  test("a project's groups, and only its own", async () => {
    const group = { id: groupId, name: "trainers", replicas: 3, status: "running", instances };
    expect(await list()).toEqual({ ok: true, value: [group] });
    expect(await list("other")).toEqual({ ok: true, value: [] });
  });

  test("one group by its name", async () => {
    const group = { id: groupId, name: "trainers", replicas: 3, status: "running", instances };
    expect(await getGroup(access, organization, "default", "trainers")).toEqual({ ok: true, value: group });
  });

  test("fields that we do not know, and a status that is new", async () => {
    const items = [
      { id: "g", name: "n", replicas: 0, current_state: { status: "resting", since: 1 }, more: [] },
    ];
    await fail({ kind: "body", status: 200, body: JSON.stringify({ items, next: null }) });
    const group = { id: "g", name: "n", replicas: 0, status: "resting", instances: null };
    expect(await list()).toEqual({ ok: true, value: [group] });
  });
});

describe("what is changed", () => {
  const place = () => ({ organization, project: "default", group: "trainers" });

  test("replicas alone, a stop, a start, another node for an instance; instances and the quota are read", async () => {
    expect(await setReplicas(access, place(), 2)).toEqual({ ok: true, value: null });
    const listed = await listInstances(access, place());
    expect(listed).toMatchObject({ ok: true, value: [{ state: "running", deletionCost: 0 }, {}] });
    const [instance] = listed.ok ? listed.value : [];
    expect(await reallocateInstance(access, place(), instance?.id ?? "")).toEqual({ ok: true, value: null });
    expect(await reallocateInstance(access, place(), instance?.machineId ?? "")).toMatchObject({
      status: 404,
    });
    expect(await readQuota(access, organization)).toEqual({ ok: true, value: { replicas: 100, used: 2 } });
    expect(await stopGroup(access, place())).toEqual({ ok: true, value: null });
    expect(await startGroup(access, place())).toEqual({ ok: true, value: null });
    expect(await startGroup(access, place())).toMatchObject({ reason: "rejected", status: 400 });
    expect(await setReplicas(access, place(), 101)).toMatchObject({
      reason: "rejected",
      detail: "the organization's quota of replicas is exceeded",
    });
  });

  test.each<[string, FaultKind, string]>([
    ["a page with status 200", { kind: "html", status: 200 }, "unavailable"],
    ["a firewall's 403", { kind: "html", status: 403 }, "unavailable"],
    ["a 429", { kind: "problem", status: 429 }, "unavailable"],
    ["a 403", { kind: "problem", status: 403 }, "refused"],
    ["a reset connection", { kind: "reset" }, "unavailable"],
  ])("%s", async (_name, kind, reason) => {
    await fail(kind);
    expect(await setReplicas(access, place(), 2)).toMatchObject({ ok: false, reason });
  });

  test("instances without a node are listed as such, and one that is listed twice is one", async () => {
    const running = { id: "i1", machine_id: "m1", state: "running" };
    const instances = [
      running,
      { id: "i2", machine_id: null, state: "allocating" },
      running,
      { id: "i3", state: "allocating" },
    ];
    await fail({ kind: "body", status: 200, body: JSON.stringify({ instances }) });
    const listed = await listInstances(access, place());
    expect(listed).toMatchObject({
      ok: true,
      value: [
        { id: "i1", machineId: "m1" },
        { id: "i2", machineId: "" },
        { id: "i3", machineId: "" },
      ],
    });
  });

  test("of what no name can be: nothing is asked", async () => {
    const nowhere = { ...place(), group: "../x" };
    for (const call of [listInstances, startGroup, stopGroup]) {
      expect(await call(access, nowhere)).toMatchObject({ reason: "refused" });
    }
    expect(await readQuota(access, "No Name")).toMatchObject({ reason: "refused" });
  });
});

describe("refused: the key does not reach it, or there is no such thing", () => {
  test("an unknown key, a foreign organization, an unknown project and group", async () => {
    const unknown = { ...access, apiKey: "nobody's" };
    expect(await listGroups(unknown, organization, "default")).toMatchObject({
      reason: "refused",
      status: 401,
    });
    const foreign = await newOrganization();
    expect(await listGroups(access, foreign.name, "default")).toMatchObject({
      reason: "refused",
      status: 403,
    });
    expect(await list("nobodys")).toMatchObject({ reason: "refused", status: 404 });
    const group = await getGroup(access, organization, "default", "nobodys");
    expect(group).toMatchObject({ reason: "refused", status: 404 });
  });

  test("a 401 also as HTML: nothing that stands in front of Salad answers so", async () => {
    await fail({ kind: "html", status: 401 });
    expect(await list()).toMatchObject({ reason: "refused", status: 401 });
  });

  test.each(["", "a", "Acme", "1acme", "acme-", "a".repeat(64), "a/../b", "a?b", "a%2fb", "a b", "a\n"])(
    "%j, which no name can be, without asking",
    async (name) => {
      const fetching = vi.spyOn(globalThis, "fetch");
      const refused = { ok: false, reason: "refused", detail: "not a name on SaladCloud" };
      expect(await listGroups(access, name, "default")).toEqual(refused);
      expect(await listGroups(access, organization, name)).toEqual(refused);
      expect(await getGroup(access, organization, "default", name)).toEqual(refused);
      expect(fetching).not.toHaveBeenCalled();
    },
  );
});

describe("rejected: any other 4xx, with what Salad says", () => {
  test("in its own words, on one line, without our key", async () => {
    const said = { title: "Bad Request", detail: `Not so,\n  ${access.apiKey}!${"x".repeat(500)}` };
    await fail({ kind: "body", status: 400, body: JSON.stringify(said) });
    const answer = await list();
    expect(answer).toMatchObject({ ok: false, reason: "rejected", status: 400 });
    const detail = answer.ok ? "" : (answer.detail ?? "");
    expect(detail).toMatch(/^Not so, \[key\]!x+$/);
    expect(detail.length).toBeLessThanOrEqual(300);
  });
});

describe("unavailable: says nothing about the key", () => {
  const group = { id: "g", name: "n", replicas: 0, current_state: { status: "running" } };
  test.each<[string, FaultKind, number | undefined]>([
    ["a 429", { kind: "problem", status: 429 }, 429],
    ["a 500", { kind: "problem", status: 500 }, 500],
    ["a gateway's page", { kind: "html", status: 502 }, 502],
    ["a firewall's 403", { kind: "html", status: 403 }, 403],
    ["a 404 that is a page", { kind: "html", status: 404 }, 404],
    ["a page with status 200", { kind: "html", status: 200 }, 200],
    ["a page that calls itself JSON", { kind: "body", status: 404, body: "\n<html></html>" }, 404],
    ["a list that is cut short", { kind: "body", status: 200, body: '{"items": [' }, 200],
    ["a list of other things", { kind: "body", status: 200, body: '{"items": [{"id": 1}]}' }, 200],
    [
      "a group without a state",
      { kind: "body", status: 200, body: JSON.stringify({ items: [{ ...group, current_state: null }] }) },
      200,
    ],
    ["an empty answer", { kind: "body", status: 200, body: "" }, 200],
    ["a 204", { kind: "body", status: 204, body: "" }, 204],
    [
      "a list of more than 8 MiB",
      { kind: "body", status: 200, body: `{"items": []}${" ".repeat(2 ** 23)}` },
      200,
    ],
    ["a reset connection", { kind: "reset" }, undefined],
  ])("%s", async (_name, kind, status) => {
    await fail(kind);
    const answer = await list();
    expect(answer).toMatchObject({ ok: false, reason: "unavailable" });
    expect(answer.ok ? "" : answer.status).toBe(status);
    expect(JSON.stringify(answer)).not.toContain("html>");
    expect(JSON.stringify(answer)).not.toContain(access.apiKey);
  });

  test("a redirect, which is not followed: the key goes to Salad alone", async () => {
    const elsewhere = newOrganizationName();
    const location = `${env.SALAD_API_URL}/organizations/${elsewhere}/projects/default/containers`;
    await fail({ kind: "body", status: 307, headers: { Location: location }, body: "" });
    expect(await list()).toMatchObject({ ok: false, reason: "unavailable", status: 307 });
    expect(await requestsAbout(elsewhere)).toEqual([]);
  });

  test("a port where nobody listens", async () => {
    const nowhere = { ...access, apiUrl: "http://127.0.0.1:1/api/public" };
    const answer = await listGroups(nowhere, organization, "default");
    expect(answer).toEqual({ ok: false, reason: "unavailable", detail: "no connection" });
  });

  test("a key that no header can carry, which is not told", async () => {
    const answer = await listGroups({ ...access, apiKey: "secret\nkey" }, organization, "default");
    expect(answer).toMatchObject({ ok: false, reason: "unavailable" });
    expect(JSON.stringify(answer)).not.toContain("secret");
  });

  test.each(["hang", "trickle"] as const)(
    "an answer that does not come to its end within 10 s (%s)",
    async (kind) => {
      const timer = new AbortController();
      const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(timer.signal);
      await fail({ kind });
      const before = (await requestsAbout(organization)).length;
      const answer = list();
      // The time is up once the request has arrived.
      await vi.waitUntil(async () => (await requestsAbout(organization)).length > before, {
        timeout: 30_000,
      });
      timer.abort(new DOMException("The operation timed out", "TimeoutError"));
      expect(await answer).toEqual({ ok: false, reason: "unavailable", detail: "no answer within 10 s" });
      expect(timeout).toHaveBeenCalledWith(10_000);
    },
  );
});
