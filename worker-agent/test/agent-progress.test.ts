/** What a command tells of its progress, and how it ends when it tells no more; whole agents against a fake API. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { startAgent } from "./agent-under-test.ts";
import type { Call } from "./api-server.ts";
import { program, waitForFile } from "./commands.ts";

const quick = { progressGapMs: 20, progressPollMs: 100 };
const tell = (text: string) =>
  `fs.appendFileSync(process.env.KELPIE_PROGRESS_FILE, ${JSON.stringify(text)});`;
const renewalWith =
  (step: number) =>
  (call: Call): call is Extract<Call, { route: "renew" }> =>
    call.route === "renew" && call.body.leases.some((lease) => lease.progress_report?.step === step);

test("the newest step rides on the renewal and on the report; each higher one counts", async () => {
  const agent = await startAgent({ timings: quick });
  agent.server.leaseSeconds = 4;
  const id = agent.server.submit({
    ...program(`
      ${tell('{"step":0,"total":9}\n{"step":1}\nno progress\n{"step":2,"total":9,"message":"half way"}\n')}
      const look = setInterval(() => { if (fs.existsSync("go")) { clearInterval(look); ${tell('{"step":3}')} } }, 20);`),
  });
  const { body } = await agent.server.until(renewalWith(2));
  expect(body.leases[0]).toMatchObject({
    command_started: true,
    progress: 2,
    progress_report: { step: 2, total: 9, message: "half way" },
  });
  expect(await agent.logged("is no progress")).toMatchObject({ severity: "WARN", reason: "not JSON" });
  writeFileSync(agent.path("go"), "");
  // The last line has no end, and was written right before the command's own.
  expect((await agent.server.report("completed", id)).progress).toEqual({ step: 3 });
});

test("the file is the attempt's own, outside of every directory of the job, and gone with it", async () => {
  const agent = await startAgent({ timings: quick, environment: { KELPIE_PROGRESS_FILE: "/of/another" } });
  const id = agent.server.submit({
    ...program(`fs.writeFileSync("path", process.env.KELPIE_PROGRESS_FILE); ${tell('{"step":1}\n')}`),
  });
  await agent.server.report("completed", id);
  const path = await agent.read("path");
  expect(path.startsWith(agent.workdir)).toBe(false);
  expect(path).not.toBe("/of/another");
  expect(existsSync(dirname(path))).toBe(false);
});

test("a command that tells no more is stopped, may save, and ends as stalled", async () => {
  const agent = await startAgent({ timings: { ...quick, stallTickMs: 50 } });
  const id = agent.server.submit({
    stall_timeout_seconds: 1,
    ...program(`
      process.on("SIGTERM", () => { fs.writeFileSync("saved", ""); process.exit(0); });
      ${tell('{"step":7}\n')} setInterval(() => {}, 1000);`),
  });
  const report = await agent.server.report("stalled", id);
  expect(report).toMatchObject({
    reason: "no new step and no checkpoint for 1 s (stall_timeout_seconds)",
    progress: { step: 7 },
  });
  await agent.read("saved");
});

test("a command that goes on telling higher steps is left alone for longer than that", async () => {
  const agent = await startAgent({ timings: { ...quick, stallTickMs: 50 } });
  const id = agent.server.submit({
    stall_timeout_seconds: 2,
    ...program(`
      let step = 0;
      const telling = setInterval(() => {
        fs.appendFileSync(process.env.KELPIE_PROGRESS_FILE, JSON.stringify({ step: ++step }) + "\\n");
        if (step === 40) clearInterval(telling);
      }, 100);`),
  });
  expect((await agent.server.report("completed", id)).progress).toEqual({ step: 40 });
});

test("final uploads are told: the node must not be taken away during them", async () => {
  const agent = await startAgent({ timings: quick });
  agent.server.leaseSeconds = 4;
  agent.server.fault = (call) => (call.route === "completed" ? "unreachable" : undefined);
  agent.server.submit({ ...program(waitForFile("end")) });
  await agent.server.until((call) => call.route === "renew" && call.body.leases[0]?.uploading === false);
  writeFileSync(agent.path("end"), "");
  await agent.server.until((call) => call.route === "renew" && call.body.leases[0]?.uploading === true);
  agent.server.fault = () => undefined;
});
