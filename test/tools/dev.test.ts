import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import { descendantsOf, isAlive } from "../../tools/processes/tree.ts";
import { projectRoot } from "../../tools/project.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-dev-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

it("npm run dev: migrates, says where it listens, takes variables, and leaves no process behind on SIGINT", async () => {
  const entry = join(projectRoot, "tools/dev.ts");
  const given = ["--port", "0", "--persist-to", directory, "--var", "KELPIE_ADMIN_KEY:another-admin-key"];
  const dev = spawn(process.execPath, [entry, ...given], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(dev, "exit");
  try {
    const said: string[] = [];
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: dev.stdout }).on("line", (line) => {
        said.push(line);
        const ready = /^ready: (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1];
        if (ready) resolve(ready);
      });
      createInterface({ input: dev.stderr }).on("line", (line) => said.push(line));
      exited.then(() => reject(new Error(`ended early:\n${said.join("\n")}`)));
    });
    const users = (key: string) =>
      fetch(`${url}/users`, {
        method: "POST",
        headers: { "X-Kelpie-Key": key },
        body: JSON.stringify({ username: `user-of-${key}` }),
      });
    // Known warnings are filtered, and temporary files are not in the system's directory.
    expect(said.join("\n")).not.toMatch(/WARNING/);
    expect(readdirSync(directory).filter((name) => name.startsWith("tmp-"))).toHaveLength(1);
    expect((await users("another-admin-key")).status).toBe(201);
    expect([401, 403]).toContain((await users("local-admin-key")).status);
    expect((await fetch(`${url}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`)).status).toBe(200);

    const family = descendantsOf(dev.pid ?? 0);
    expect(family.length).toBeGreaterThan(1);
    dev.kill("SIGINT");
    const [code] = await exited;
    // 128 + SIGTERM: what the child said, having been told to stop.
    expect([0, 130, 143]).toContain(code);
    await expect.poll(() => family.filter(isAlive), { timeout: 5000 }).toEqual([]);
    expect(readdirSync(directory).filter((name) => name.startsWith("tmp-"))).toEqual([]);
  } finally {
    dev.kill("SIGKILL");
  }
});

/** Runs until it ends by itself. */
async function fail(given: string[]): Promise<{ code: number; said: string[] }> {
  const entry = join(projectRoot, "tools/dev.ts");
  const dev = spawn(process.execPath, [entry, ...given, "--persist-to", directory], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  for (const stream of [dev.stdout, dev.stderr]) {
    createInterface({ input: stream }).on("line", (line) => said.push(line));
  }
  const [code] = await once(dev, "close");
  return { code, said };
}

it("npm run dev: a port in use is an error with its reason first and once, not a hang", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const { code, said } = await fail(["--port", String(port)]);
  taken.close();
  expect(code).toBe(1);
  expect(said[1]).toMatch(/^The API ended with code 1 while starting: .*in use/i);
  expect(said.filter((line) => /in use/i.test(line))).toHaveLength(1);
});

it("npm run dev: a misspelt option is named first, and wrangler's usage told once", async () => {
  const { code, said } = await fail(["--prot", "3", "--port", "0"]);
  expect(code).toBe(1);
  expect(said[1]).toMatch(/: Unknown argument: prot$/);
  expect(said.filter((line) => line === "GLOBAL FLAGS")).toHaveLength(1);
});

it("npm run dev: an argument that it refuses itself is one line", async () => {
  expect(await fail(["--port", "http"])).toEqual({ code: 1, said: ["--port http is not a port"] });
});
