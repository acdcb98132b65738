/** Outputs moved aside hold what they held when the command ended, whatever the next job writes where. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { UploadRule } from "../../src/contract/index.ts";
import { Asides } from "../src/aside.ts";
import { TransferError } from "../src/transfer/ports.ts";

const noLocks = { take: async () => async () => undefined };

function setUp() {
  const workdir = realpathSync(mkdtempSync(join(tmpdir(), "kelpie-aside-")));
  onTestFinished(() => rmSync(workdir, { recursive: true, force: true }));
  for (const name of ["out", "ckpt", "elsewhere"]) mkdirSync(join(workdir, name));
  const passedOver: string[] = [];
  const move = async (...rules: UploadRule[]) => {
    const { signal } = new AbortController();
    const onPassedOver = (message: string) => passedOver.push(message);
    return await new Asides(noLocks).move(rules, { jobId: "job", workdir, signal, onPassedOver });
  };
  const failure = async (...rules: UploadRule[]) => {
    const reason = await move(...rules).catch((error: unknown) => error);
    if (!(reason instanceof TransferError)) throw new Error(`no TransferError: ${reason}`);
    return reason;
  };
  return { workdir, out: join(workdir, "out"), move, failure, passedOver };
}

const upload = (local_path: string, pattern?: string): UploadRule => ({
  bucket: "b",
  prefix: "",
  local_path,
  direction: "upload",
  pattern,
});

test("an output that links to a checkpoint keeps its bytes when the next job writes its own there", async () => {
  const { workdir, out, move } = setUp();
  const checkpoint = join(workdir, "ckpt/final.bin");
  writeFileSync(checkpoint, "job 1");
  symlinkSync(checkpoint, join(out, "model.bin"));
  const rule = upload("out");
  const aside = await move(rule);
  writeFileSync(checkpoint, "job 2");
  expect(readFileSync(join(aside.from(rule), "model.bin"), "utf8")).toBe("job 1");
});

test("links into the moved directory itself still lead to their files, absolute and relative ones", async () => {
  const { out, move } = setUp();
  writeFileSync(join(out, "step-10.json"), "ten");
  symlinkSync(join(out, "step-10.json"), join(out, "absolute"));
  symlinkSync("../out/step-10.json", join(out, "around"));
  symlinkSync("absolute", join(out, "twice"));
  const rule = upload("out");
  const aside = await move(rule);
  expect(readdirSync(out)).toEqual([]);
  for (const name of ["absolute", "around", "twice"])
    expect(readFileSync(join(aside.from(rule), name), "utf8")).toBe("ten");
});

test("a directory behind a link comes along whole; circles end, and are told of", async () => {
  const { workdir, out, move, passedOver } = setUp();
  mkdirSync(join(workdir, "elsewhere/deep"));
  writeFileSync(join(workdir, "elsewhere/deep/f"), "hidden");
  symlinkSync(out, join(workdir, "elsewhere/back"));
  symlinkSync(join(workdir, "elsewhere"), join(out, "dir"));
  symlinkSync(".", join(out, "self"));
  const rule = upload("out");
  const aside = await move(rule);
  writeFileSync(join(workdir, "elsewhere/deep/f"), "another job's");
  expect(readFileSync(join(aside.from(rule), "dir/deep/f"), "utf8")).toBe("hidden");
  expect(existsSync(join(aside.from(rule), "self"))).toBe(false);
  expect(passedOver.filter((line) => line.includes("in a circle")).length).toBe(2);
});

test("outputs that link to nothing, or whose name is no text, fail the attempt by their names", async () => {
  const { out, failure, move } = setUp();
  symlinkSync("nowhere", join(out, "latest.json"));
  writeFileSync(Buffer.concat([Buffer.from(`${out}/bad`), Buffer.from([0xff])]), "");
  const { fault, message } = await failure(upload("out"));
  expect(fault).toBe("config");
  expect(message).toContain(join(out, "latest.json"));
  expect(message).toContain("not valid UTF-8");
  // A rule that does not ask for them can do without them.
  await move(upload("out", "^other$"));
});

test("a pipe among the outputs is told of, and keeps nothing from being moved", async () => {
  const { out, move, passedOver } = setUp();
  execFileSync("mkfifo", [join(out, "pipe")]);
  writeFileSync(join(out, "a"), "a");
  const rule = upload("out");
  const aside = await move(rule);
  expect(readdirSync(aside.from(rule))).toEqual(["a"]);
  expect(passedOver.join()).toContain(join(out, "pipe"));
});

test("two rules name one directory, one of them through a link: both find their outputs", async () => {
  const { workdir, out, move } = setUp();
  symlinkSync("out", join(workdir, "alias"));
  writeFileSync(join(out, "a.json"), "a");
  writeFileSync(join(out, "b.log"), "b");
  const rules = [upload("out", "json$"), upload("alias", "log$")] as const;
  const aside = await move(...rules);
  expect(aside.from(rules[1])).toBe(aside.from(rules[0]));
  expect(readdirSync(aside.from(rules[0])).sort()).toEqual(["a.json", "b.log"]);
});
