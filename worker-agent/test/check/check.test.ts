/** `kelpie check`: each question's answer when all is well, and for each thing that can be wrong a line that says what to do. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { check } from "../../src/check/check.ts";
import { S3Server } from "../transfer/s3-server.ts";

type Reply = { status?: number; body: unknown; headers?: Record<string, string> };
type Routes = Record<string, Reply>;

/** The API and the metadata service: what each path answers, and what it was asked. */
async function serve(routes: Routes) {
  const asked: string[] = [];
  const answer: RequestListener = (request, response) => {
    const url = request.url ?? "";
    asked.push(`${request.method} ${url}`);
    const reply = routes[new URL(url, "http://a").pathname] ?? { status: 404, body: spoken("not_found") };
    response.writeHead(reply.status ?? 200, { "Content-Type": "application/json", ...reply.headers });
    response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
  };
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const spoken = (error: string, message = error) => ({ error, message });
const me = { user_id: "u", org_name: "acme", project_name: "default", role: "node", managed_storage: true };
const well: Routes = {
  "/health": { body: { status: "ok" } },
  "/agents/me": { body: me },
  "/imds/v1/status": { body: { ready: true, started: true } },
  "/imds/v1/token": { body: { jwt: "a-token-of-this-node" } },
};
const key = "the-key-of-this-node";

/** Lines by their question, and the exit code. */
async function ask(
  routes: Routes,
  environment: NodeJS.ProcessEnv = {},
  options: { bucket?: string; prefix?: string } = {},
) {
  const server = await serve(routes);
  const lines = new Map<string, string>();
  const all = {
    KELPIE_API_URL: server.url,
    KELPIE_API_KEY: key,
    SALAD_MACHINE_ID: "m1",
    SALAD_CONTAINER_GROUP_ID: "g1",
    KELPIE_IMDS_URL: `${server.url}/imds`,
    KELPIE_STATE_FILE: "/tmp/kelpie-state.json",
    ...environment,
  };
  const exitCode = await check({ prefix: "tried/", ...options }, all, "/tmp", (line) => {
    lines.set(line.slice(8, 24).trim(), line);
  });
  const text = [...lines.values()].join("\n");
  return {
    exitCode,
    line: (question: string) => lines.get(question) ?? `no "${question}" in\n${text}`,
    text,
    server,
  };
}

async function storage() {
  const s3 = await S3Server.start("results");
  onTestFinished(() => s3.close());
  const keys = {
    AWS_ACCESS_KEY_ID: "id",
    AWS_SECRET_ACCESS_KEY: "a-secret-of-the-storage",
    AWS_REGION: "auto",
  };
  return { s3, environment: { AWS_ENDPOINT_URL: s3.url, ...keys } };
}

test("all is well: every question has its line, exit code 0, and nothing was claimed or left behind", async () => {
  const { s3, environment } = await storage();
  const { exitCode, line, text, server } = await ask(well, environment, { bucket: "results" });
  expect(exitCode, text).toBe(0);
  for (const question of ["configuration", "state file", "API", "credential", "node metadata", "own storage"])
    expect(line(question)).toMatch(/^ok /);
  expect(line("credential")).toContain('a node\'s credential of the organization "acme", group g1');
  expect(line("managed storage")).toMatch(/^ok .*first job/);
  expect(server.asked).toEqual([
    "GET /health",
    "GET /agents/me?machine_id=m1&container_group_id=g1",
    "GET /imds/v1/status",
    "GET /imds/v1/token",
  ]);
  expect(s3.keys("results")).toEqual([]);
  expect(s3.changes.map(({ key }) => key)).toEqual([
    expect.stringMatching(/^tried\/kelpie-check-/),
    expect.stringMatching(/^tried\/kelpie-check-/),
  ]);
  for (const secret of [key, "a-secret-of-the-storage", "a-token-of-this-node"])
    expect(text).not.toContain(secret);
});

test("variables that cannot be used are all named, and nothing is asked", async () => {
  const { exitCode, line, server } = await ask(well, { MAX_RETRIES: "many", SALAD_MACHINE_ID: "" });
  expect(exitCode).toBe(1);
  expect(line("configuration")).toMatch(/^failed .*/);
  for (const name of ["MAX_RETRIES", "SALAD_MACHINE_ID"]) expect(line("configuration")).toContain(name);
  expect(server.asked).toEqual([]);
});

test("a variable that is hardly meant so is told, and is no failure", async () => {
  const { exitCode, line } = await ask(well, { KELPIE_SLOT: "4" });
  expect(exitCode).toBe(0);
  expect(line("configuration")).toMatch(
    /^ok .*can be used; but KELPIE_SLOT is not read: is KELPIE_SLOTS meant/,
  );
});

test("nothing listens at the API's address: it says so, and does not blame the key", async () => {
  // Below the ports that are given out by themselves, and an address of its own: no test beside this one listens there.
  const { exitCode, line } = await ask(well, { KELPIE_API_URL: "http://127.77.0.1:20999" });
  expect(exitCode).toBe(1);
  expect(line("API")).toMatch(/^failed .*nothing listens at http:\/\/127\.77\.0\.1:20999 .*KELPIE_API_URL/);
  expect(line("credential")).toMatch(/^skipped /);
});

test("a name that does not resolve", async () => {
  const { line } = await ask(well, { KELPIE_API_URL: "http://kelpie.invalid" });
  expect(line("API")).toMatch(/^failed .*kelpie\.invalid cannot be resolved.*DNS/);
});

test("something else answers at that address", async () => {
  const { exitCode, line } = await ask({ ...well, "/health": { body: "<html>Welcome" } });
  expect(exitCode).toBe(1);
  expect(line("API")).toMatch(/^failed .*not as Kelpie does/);
});

test("what answers there without an end is not read to it", async () => {
  const body = `${" ".repeat(100_000)}{"status":"ok"}`;
  expect((await ask({ ...well, "/health": { body } })).line("API")).toMatch(/^failed .*not as Kelpie does/);
});

test("clocks that are minutes apart, by which every signature would be refused", async () => {
  const late = { Date: new Date(Date.now() - 600_000).toUTCString() };
  const { exitCode, line } = await ask({ ...well, "/health": { body: { status: "ok" }, headers: late } });
  expect(exitCode).toBe(1);
  expect(line("API")).toMatch(/^failed .*(599|60\d) s apart/);
});

test.each([
  [
    "a key that was revoked",
    { status: 403, body: spoken("forbidden", "wrong credential") },
    /refused: 403 wrong credential.*KELPIE_API_KEY/,
  ],
  [
    "an API that is down behind it",
    { status: 503, body: spoken("unavailable", "D1 is away") },
    /not answered: 503 D1 is away.*ready/,
  ],
  ["the admin's key", { body: { ...me, role: "admin", org_name: null } }, /admin's key/],
])("%s", async (_name, reply, says) => {
  const { exitCode, line } = await ask({ ...well, "/agents/me": reply });
  expect(exitCode).toBe(1);
  expect(line("credential")).toMatch(/^failed /);
  expect(line("credential")).toMatch(says);
});

test("a user's key works, and is told to be more than is needed", async () => {
  const { exitCode, line } = await ask({ ...well, "/agents/me": { body: { ...me, role: "user" } } });
  expect(exitCode).toBe(0);
  expect(line("credential")).toMatch(/^ok .*role node could do less harm/);
});

test("an API that is older than the agent: the credential is good, storage unknown", async () => {
  const { exitCode, line } = await ask({ ...well, "/agents/me": { status: 404, body: spoken("not_found") } });
  expect(exitCode).toBe(0);
  expect(line("credential")).toMatch(/^ok .*older/);
  expect(line("managed storage")).toMatch(/^skipped /);
});

test("the metadata service of a node of SaladCloud cannot be reached; elsewhere there is none to reach", async () => {
  const away = await ask(well, { KELPIE_IMDS_URL: "http://127.0.0.1:9" });
  expect(away.exitCode).toBe(1);
  expect(away.line("node metadata")).toMatch(/^failed .*127\.0\.0\.1:9 does not answer/);
  const elsewhere = await ask(well, { KELPIE_IMDS_URL: "" });
  expect(elsewhere.exitCode).toBe(0);
  expect(elsewhere.line("node metadata")).toMatch(/^skipped .*not a node of SaladCloud/);
});

test("it answers, but gives no token", async () => {
  const { exitCode, line } = await ask({ ...well, "/imds/v1/token": { status: 403, body: {} } });
  expect(exitCode).toBe(1);
  expect(line("node metadata")).toMatch(/^failed .*no token.*403/);
});

test.each([
  ["no such bucket", "InvalidAccessKeyId", "elsewhere", /there is no bucket "elsewhere".*AWS_ENDPOINT_URL/],
  [
    "a key nobody knows",
    "InvalidAccessKeyId",
    "results",
    /the key is not accepted \(InvalidAccessKeyId\).*AWS_SECRET_ACCESS_KEY/,
  ],
  ["a key without the right to write", "AccessDenied", "results", /cannot write: .*s3:PutObject/],
])("own storage: %s", async (_name, code, bucket, says) => {
  const { s3, environment } = await storage();
  s3.faults.push(() => (bucket === "results" ? { kind: "answer", status: 403, code } : undefined));
  const { exitCode, line } = await ask(well, environment, { bucket });
  expect(exitCode).toBe(1);
  expect(line("own storage")).toMatch(says);
});

test("own storage: what may be written but not read is told, and taken away all the same", async () => {
  const { s3, environment } = await storage();
  s3.faults.push(({ method, key }) =>
    method === "GET" && key !== "" ? { kind: "answer", status: 403, code: "AccessDenied" } : undefined,
  );
  const { exitCode, line } = await ask(well, environment, { bucket: "results" });
  expect(exitCode).toBe(1);
  expect(line("own storage")).toMatch(/cannot read: .*s3:GetObject/);
  expect(line("own storage")).not.toContain("cannot delete");
  expect(s3.keys("results")).toEqual([]);
});

test("own storage: bytes that come back changed", async () => {
  const { s3, environment } = await storage();
  s3.faults.push(({ method }) => (method === "PUT" ? { kind: "corrupts" } : undefined));
  const { exitCode, line } = await ask(well, environment, { bucket: "results" });
  expect(exitCode).toBe(1);
  expect(line("own storage")).toMatch(/^failed /);
});

test("own storage without a bucket to try is not tried, with one but without keys it fails", async () => {
  const { environment } = await storage();
  expect((await ask(well, environment)).line("own storage")).toMatch(/^skipped .*--bucket/);
  expect((await ask(well)).line("own storage")).toMatch(/^skipped .*would fail here/);
  const keyless = await ask(well, {}, { bucket: "results" });
  expect(keyless.exitCode).toBe(1);
  expect(keyless.line("own storage")).toMatch(/^failed .*AWS_ACCESS_KEY_ID/);
});

test("a directory that the agent would make for its state file is well, and is not left behind", async () => {
  const top = mkdtempSync(join(tmpdir(), "kelpie-check-"));
  onTestFinished(() => rmSync(top, { recursive: true }));
  const { line } = await ask(well, { KELPIE_STATE_FILE: join(top, "made/for/state.json") });
  expect(line("state file")).toMatch(/^ok .*\/made\/for can be made and written/);
  expect(readdirSync(top)).toEqual([]);
});

test("a state file that cannot be written, though the agent would run without it", async () => {
  const { exitCode, line } = await ask(well, { KELPIE_STATE_FILE: "/sys/kelpie-state.json" });
  expect(exitCode).toBe(1);
  expect(line("state file")).toMatch(/^failed .*\/sys cannot be written.*KELPIE_STATE_FILE/);
});

test.each(["/proc/kelpie-state.json", "/proc/none/kelpie-state.json", "/dev/null/kelpie-state.json"])(
  "no state file can ever be at %s: said as the agent says it",
  async (path) => {
    const { exitCode, line } = await ask(well, { KELPIE_STATE_FILE: path });
    expect(exitCode).toBe(1);
    expect(line("state file")).toMatch(/^failed .*KELPIE_STATE_FILE: \/.*kelpie-state\.json cannot be.*: /);
  },
);
