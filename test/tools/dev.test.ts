import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
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
  } finally {
    dev.kill("SIGKILL");
  }
});

it("npm run dev: a port in use is an error with its reason, not a hang", async () => {
  const taken = (await import("node:net")).createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const given = ["--port", String(port), "--persist-to", directory];
  const dev = spawn(process.execPath, [join(projectRoot, "tools/dev.ts"), ...given], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said: string[] = [];
  createInterface({ input: dev.stderr }).on("line", (line) => said.push(line));
  const [code] = await once(dev, "exit");
  taken.close();
  expect(code).toBe(1);
  expect(said.join("\n")).toMatch(/in use/i);
});
