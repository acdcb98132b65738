import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { PassThrough } from "../../src/logs/pass-through.ts";

/** A container's log that nobody reads until it is told to go on. */
function stuckLog() {
  let text = "";
  let isStuck = true;
  let goOn = () => {};
  const to = new Writable({
    write(bytes, _encoding, taken) {
      text += bytes;
      if (isStuck) goOn = taken;
      else taken();
    },
  });
  return {
    to,
    async readOn() {
      isStuck = false;
      goOn();
      goOn = () => {}; // a write is taken once
      await new Promise<void>((resolve) => to.write("", () => resolve()));
      return text;
    },
  };
}

test("byte by byte into a log that nobody reads: few writes wait, and what follows is shown once it is read", async () => {
  const log = stuckLog();
  const onward = new PassThrough(log.to);
  for (let written = 0; written < 50_000; written++) onward.write(Buffer.from("a"));
  expect(log.to.writableLength).toBeLessThan(20_000);
  const before = await log.readOn();
  onward.write(Buffer.from("b\n"));
  expect(await log.readOn()).toBe(`${before}\n[kelpie: ${50_000 - before.length} bytes dropped]\nb\n`);
});
