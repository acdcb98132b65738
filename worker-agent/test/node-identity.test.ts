/** An agent whose only credential is the token of its node. */
import { expect, test } from "vitest";
import { createApiClient } from "../src/api/client.ts";
import type { Credentials } from "../src/api/credentials.ts";
import { sendReport } from "../src/api/reports.ts";
import { startAgent } from "./agent-under-test.ts";
import { ApiServer } from "./api-server.ts";
import { eventually, program } from "./commands.ts";
import { ImdsServer, tokenOf } from "./imds-server.ts";

const seconds = () => Math.floor(Date.now() / 1000);
const freshToken = (n: number) =>
  tokenOf({ iat: seconds(), exp: seconds() + 300, salad_organization_name: "acme", n });

async function startWithToken(
  environment: NodeJS.ProcessEnv = {},
  options: Parameters<typeof startAgent>[0] = {},
) {
  const imds = await ImdsServer.start();
  imds.token = freshToken(1);
  const agent = await startAgent({
    ...options,
    environment: {
      KELPIE_API_KEY: "",
      KELPIE_IMDS_URL: imds.url,
      SALAD_PROJECT_NAME: "vision",
      ...environment,
    },
  });
  return { agent, imds };
}

test("it claims, renews and reports with the token and its project, and opens its socket so", async () => {
  const { agent } = await startWithToken({}, { sockets: {} });
  const id = agent.server.submit(program(""));
  await agent.server.report("completed", id);
  const claim = agent.server.calls.find((call) => call.route === "claim");
  const expected = { authorization: `Bearer ${freshTokenOf(claim)}`, "salad-project": "vision" };
  expect(claim).toMatchObject({ headers: expected });
  expect((await agent.sockets.socket(1)).headers).toMatchObject(expected);
});

const freshTokenOf = (claim: unknown) =>
  (claim as { headers: { authorization?: string } }).headers.authorization?.replace(/^Bearer /, "");

test("the token reaches no log", async () => {
  const { agent, imds } = await startWithToken();
  const id = agent.server.submit(program("process.exit(1)"));
  // Whatever is said about it, by whomever.
  agent.server.reallocate = `because of ${imds.token}`;
  await agent.server.report("failed", id);
  await agent.logged("reported failed");
  expect((await agent.logged("another node is wanted")).reason).toBe("because of [secret]");
  expect(JSON.stringify(agent.lines)).not.toContain(imds.token);
});

test("a token that the API refuses is exchanged for the next one, and work goes on", async () => {
  const { agent, imds } = await startWithToken();
  const refused = imds.token;
  await agent.server.until((call) => call.route === "claim");
  imds.token = freshToken(2);
  agent.sleep(10_000);
  agent.server.fault = (call) =>
    call.route === "claim" && call.headers.authorization === `Bearer ${refused}` ? 403 : undefined;
  const id = agent.server.submit(program(""));
  await agent.server.report("completed", id);
  expect(imds.count("GET /v1/token")).toBe(2);
});

test("a token that the API refuses at the socket's door is exchanged too", async () => {
  const { agent, imds } = await startWithToken({}, { sockets: { refusal: 403 } });
  await agent.logged("no socket: polling");
  imds.token = freshToken(2);
  agent.sleep(10_000);
  await imds.until(() => imds.count("GET /v1/token") === 2);
  agent.sockets.refusal = undefined;
  expect((await agent.sockets.socket(1)).headers.authorization).toBe(`Bearer ${imds.token}`);
});

test("a metadata service that is down at the start costs nothing but time", async () => {
  const { agent, imds } = await startWithToken();
  imds.fault = () => 503;
  const id = agent.server.submit(program(""));
  await agent.logged("claim failed");
  imds.fault = () => undefined;
  await agent.server.report("completed", id);
});

test("a Salad key that knows no organization finds it in the token", async () => {
  const { agent } = await startWithToken({ SALAD_API_KEY: "salad-key" });
  const claim = await agent.server.until((call) => call.route === "claim");
  expect(claim).toMatchObject({
    headers: { "salad-api-key": "salad-key", "salad-organization": "acme", "salad-project": "vision" },
  });
  expect(JSON.stringify(claim)).not.toContain("Bearer");
});

/** A client whose proof is the number of the try. */
async function startClient(renewals: boolean[]) {
  const server = await ApiServer.start();
  let number = 1;
  const credentials: Credentials = {
    headers: async () => ({ ok: true, headers: { Authorization: `Bearer ${number}` } }),
    async refused() {
      if (!renewals.shift()) return false;
      number++;
      return true;
    },
  };
  return { server, client: createApiClient(server.url, credentials), number: () => number };
}
const report = (client: ReturnType<typeof createApiClient>, server: ApiServer, id: string) => {
  const { attempt, token } = server.firstLease(id);
  const holder = { machine_id: "m", container_group_id: "group", attempt, lease_token: token };
  return sendReport(client, id, "completed", holder, { timeoutMs: 10_000 });
};

test.each([401, 403])(
  "a call that is answered %i is made once more with a new proof, and no more than that",
  async (status) => {
    const { server, client, number } = await startClient([true, true, true]);
    const id = server.submit({ attempt: 1 });
    let refusals = 1;
    server.fault = () => (refusals-- > 0 ? status : undefined);
    expect(await report(client, server, id)).toMatchObject({ ok: true });
    expect([server.calls.length, number()]).toEqual([2, 2]);
    refusals = 10;
    expect(await report(client, server, id)).toMatchObject({ ok: false, fault: "unauthorized" });
    expect([server.calls.length, number()]).toEqual([4, 3]);
    server.stop();
  },
);

test("without another proof a refused call is not repeated", async () => {
  const { server, client } = await startClient([false]);
  const id = server.submit({ attempt: 1 });
  server.fault = () => 401;
  expect(await report(client, server, id)).toMatchObject({ ok: false, fault: "unauthorized" });
  expect(server.calls.length).toBe(1);
  server.stop();
});

test("a proof that does not come in time is a call without an answer", async () => {
  const server = await ApiServer.start();
  const credentials: Credentials = {
    headers: () => new Promise(() => undefined),
    refused: async () => false,
  };
  const client = createApiClient(server.url, credentials);
  const answer = await client.call({
    method: "GET",
    path: "/work",
    answer: { safeParse: () => undefined } as never,
    timeoutMs: 20,
  });
  expect(answer).toMatchObject({ ok: false, fault: "lost" });
  await expect.poll(() => server.calls.length, eventually).toBe(0);
  server.stop();
});
