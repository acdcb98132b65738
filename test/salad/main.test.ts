/** `npm run salad` as a person meets it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

test("a busy port is said in one line, with exit code 1", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const entry = new URL("./main.ts", import.meta.url).pathname;
  const salad = spawn(process.execPath, [entry, "--port", String(port)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  try {
    const [out, error, [code]] = await Promise.all([
      text(salad.stdout),
      text(salad.stderr),
      once(salad, "exit"),
    ]);
    expect([code, out]).toEqual([1, ""]);
    expect(error).toBe(`port ${port} is in use: end what listens there, or take another one with --port\n`);
  } finally {
    salad.kill("SIGKILL");
    other.close();
  }
});

test("a key may ask 240 times a minute, as on SaladCloud", async () => {
  const entry = new URL("./main.ts", import.meta.url).pathname;
  const salad = spawn(process.execPath, [entry, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let said = "";
    for await (const part of salad.stdout) {
      said += part;
      if (said.includes("controls ")) break;
    }
    const url = /^ready: (\S+)/.exec(said)?.[1];
    const key = /Salad-Api-Key +(\S+)/.exec(said)?.[1] ?? "";
    const ask = async (headers: Record<string, string>) => {
      const answer = await fetch(`${url}/api/public/organizations/acme/quotas`, { headers });
      await answer.arrayBuffer();
      return answer.status;
    };
    const statuses = new Map<number, number>();
    for (let asked = 0; asked < 241; asked++) {
      const status = await ask({ "Salad-Api-Key": key });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses]).toEqual([
      [200, 240],
      [429, 1],
    ]);
    // Whoever has no key takes nothing from those who have.
    expect(await ask({})).toBe(401);
  } finally {
    salad.kill("SIGKILL");
  }
});
