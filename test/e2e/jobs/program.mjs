// What the jobs of these tests share: bytes that tell whether they are the right ones, a log on the host, and signs that the test
// puts up there: however slow the machine is, a job goes on until it is told to end.
import { createCipheriv, createHash } from "node:crypto";
import { appendFileSync, existsSync } from "node:fs";

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** The same bytes for the same label, and unlike those of any other. */
export function bytesOf(label, size) {
  const seed = createHash("sha256").update(label).digest();
  return createCipheriv("aes-128-ctr", seed.subarray(0, 16), seed.subarray(16)).update(Buffer.alloc(size));
}

/** One line per event, appended and never changed. */
export function record(event, facts = {}) {
  const who = { time: Date.now(), pid: process.pid, machine: process.env.SALAD_MACHINE_ID };
  appendFileSync(process.env.LOG, `${JSON.stringify({ ...who, event, ...facts })}\n`);
}

/** What a resume brought is not what was saved: loud, so that the job fails instead of going on with it. */
export function refuse(why) {
  record("wrong", { why });
  console.error(why);
  process.exit(9);
}

export const number = (name) => Number(process.env[name]);

/** The test has put a file of this name into SIGNS. */
export const isTold = (what) => existsSync(`${process.env.SIGNS}/${what}`);
