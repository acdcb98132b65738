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
