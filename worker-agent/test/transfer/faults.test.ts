/** Networks and storages at their worst: in the end there is the whole file, or an error that says why; never a torn one. */
import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { failureOf } from "./bench.ts";
import { isRead, isWrite, setUpBoth, storeNames } from "./both-stores.ts";
import type { ProxyFault } from "./fault-proxy.ts";

const mebibyte = 1024 * 1024;
const slowDown: ProxyFault = { kind: "answer", status: 503, code: "SlowDown" };
const broken: ProxyFault = { kind: "answer", status: 500, code: "InternalError" };

const downs: [string, ProxyFault][] = [
  ["a 500", broken],
  ["503 SlowDown", slowDown],
  ["a reset before the answer", { kind: "reset" }],
  ["a reset in the middle of the body", { kind: "breaksDown", afterBytes: 300_000 }],
  ["a truncated body", { kind: "truncates", afterBytes: 300_000 }],
  ["a body that stops", { kind: "stalls", afterBytes: 300_000 }],
  ["a flipped bit", { kind: "flipsDown", atByte: 1000 }],
];
const ups: [string, ProxyFault][] = [
  ["a 500", broken],
  ["503 SlowDown", slowDown],
  ["a reset before the body", { kind: "reset" }],
  ["a reset in the middle of the body", { kind: "breaksUp", afterBytes: 300_000 }],
  ["a flipped bit", { kind: "flipsUp", atByte: 1000 }],
  ["a lost answer", { kind: "losesAnswer" }],
];

describe.each(storeNames)("%s", (name) => {
  test.each(downs)("a download survives %s, twice", async (_, fault) => {
    const { farSide, proxy, transfers, rules, context, data } = await setUpBoth(name, {
      stallTimeoutMs: 300,
    });
    const content = randomBytes(mebibyte);
    farSide.put("in/model", content);
    proxy.strike(2, fault, isRead);
    await transfers.download([rules.download], context);
    expect(proxy.struck).toBe(2);
    expect((await readFile(join(data, "model"))).equals(content)).toBe(true);
    expect(await readdir(data)).toEqual(["model"]);
  });

  // Those before the first byte are the same for a range as for a whole.
  test.each(downs.slice(3))("a large download, in ranges, survives %s", async (_, fault) => {
    const { farSide, proxy, transfers, rules, context, data } = await setUpBoth(name, {
      stallTimeoutMs: 1000,
    });
    const content = randomBytes(20 * mebibyte + 17);
    farSide.put("in/model", content);
    proxy.strike(2, fault, ({ headers }) => headers.range?.endsWith("-16777215") === true);
    await transfers.download([rules.download], context);
    expect(proxy.struck).toBe(2);
    expect((await readFile(join(data, "model"))).equals(content)).toBe(true);
    expect(await readdir(data)).toEqual(["model"]);
  });

  test("a large object comes in ranges at once, and each byte once", async () => {
    const { farSide, proxy, transfers, rules, context, observed, data } = await setUpBoth(name);
    const content = randomBytes(40 * mebibyte + 17);
    farSide.put("in/model", content);
    await transfers.download([rules.download], context);
    const ranges = proxy.requests.filter(isRead).map(({ headers }) => headers.range);
    expect(ranges.length).toBe(6);
    expect(new Set(ranges).size).toBe(6);
    expect(proxy.requests.filter(({ headers }) => headers["if-match"]).length).toBe(5);
    expect(observed.at(-1)).toBe(`ended download ${join(data, "model")} ${content.byteLength}`);
  });

  test("a large object replaced while its ranges come is begun anew, never stitched together", async () => {
    const { farSide, proxy, transfers, rules, context, data } = await setUpBoth(name);
    const newer = randomBytes(18 * mebibyte);
    farSide.put("in/model", randomBytes(24 * mebibyte));
    let replaced = false;
    proxy.faults.push(({ headers }) => {
      if (replaced || !headers.range?.startsWith("bytes=8388608-")) return undefined;
      replaced = true;
      farSide.put("in/model", newer);
      return undefined;
    });
    await transfers.download([rules.download], context);
    expect((await readFile(join(data, "model"))).equals(newer)).toBe(true);
  });

  test.each([0, 17])(
    "a large object that is listed and then replaced by %i bytes arrives as what it is",
    async (sizeBytes) => {
      const { farSide, proxy, transfers, rules, context, data } = await setUpBoth(name);
      const newer = randomBytes(sizeBytes);
      farSide.put("in/model", randomBytes(24 * mebibyte));
      proxy.faults.push((request) => {
        if (isRead(request)) farSide.put("in/model", newer);
        return undefined;
      });
      await transfers.download([rules.download], context);
      expect((await readFile(join(data, "model"))).equals(newer)).toBe(true);
    },
  );

  test("a slow trickle is no stall", async () => {
    const { farSide, proxy, transfers, rules, context, data } = await setUpBoth(name, {
      stallTimeoutMs: 400,
    });
    const content = randomBytes(300_000);
    farSide.put("in/model", content);
    proxy.strike(1, { kind: "trickles", bytesPerSecond: 250_000 }, isRead);
    await transfers.download([rules.download], context);
    expect(proxy.requests.filter(isRead).length).toBe(1);
    expect((await readFile(join(data, "model"))).equals(content)).toBe(true);
  });

  test("a download that never comes whole fails by name, and leaves nothing behind", async () => {
    const { farSide, proxy, transfers, rules, context, data } = await setUpBoth(name);
    farSide.put("in/model", randomBytes(mebibyte));
    proxy.strike(1000, { kind: "truncates", afterBytes: 0 }, isRead);
    const failure = await failureOf(transfers.download([rules.download], context));
    expect(failure.fault).toBe("storage");
    expect(failure.message).toContain("in/model");
    expect(await readdir(data)).toEqual([]);
  });

  test.each(ups)("outputs survive %s, twice", async (_, fault) => {
    const { farSide, proxy, transfers, rules, context, out } = await setUpBoth(name);
    const content = randomBytes(mebibyte);
    await writeFile(join(out, "model"), content);
    proxy.strike(2, fault, isWrite);
    await transfers.upload(rules.upload, out, context);
    expect(proxy.struck).toBe(2);
    expect(farSide.output("out/model")?.bytes.equals(content)).toBe(true);
  });

  test.each(ups.filter((_, index) => index % 2 === 1))(
    "parts of a large checkpoint survive %s",
    async (_, fault) => {
      const { farSide, proxy, transfers, rules, context, out } = await setUpBoth(name);
      const content = randomBytes(17 * mebibyte);
      await writeFile(join(out, "model"), content);
      proxy.strike(
        2,
        fault,
        ({ method, headers }) => method === "PUT" && headers["content-length"] === "8388608",
      );
      const mirror = await transfers.mirror(rules.upload, new Map(), context);
      await mirror.finish();
      expect(proxy.struck).toBe(2);
      expect(farSide.file("out/model")?.bytes.equals(content)).toBe(true);
      expect(farSide.changes.length).toBe(1);
      await farSide.until(() => farSide.unfinishedUploads() === 0);
    },
  );

  test("a storage that takes nothing fails the outputs by name, and shows nothing torn", async () => {
    const { farSide, proxy, transfers, rules, context, out } = await setUpBoth(name);
    for (const one of ["a", "b"]) await writeFile(join(out, one), randomBytes(300_000));
    proxy.strike(1000, { kind: "breaksUp", afterBytes: 200_000 }, isWrite);
    const failure = await failureOf(transfers.upload(rules.upload, out, context));
    expect(failure.fault).toBe("storage");
    for (const one of ["a", "b"]) expect(failure.message).toContain(join(out, one));
    expect(farSide.changes).toEqual([]);
  });
});

test("managed: a flipped bit in a part is refused by the storage, and the part goes up again", async () => {
  const { farSide, proxy, transfers, rules, context, out } = await setUpBoth("managed");
  const content = randomBytes(17 * mebibyte);
  await writeFile(join(out, "model"), content);
  proxy.strike(2, { kind: "flipsUp", atByte: 1000 }, isWrite);
  await transfers.upload(rules.upload, out, context);
  expect(farSide.output("out/model")?.bytes.equals(content)).toBe(true);
});

test("managed: an object whose bytes are not those of its sum is never taken", async () => {
  const { farSide, proxy, transfers, rules, context, data } = await setUpBoth("managed");
  farSide.put("in/model", randomBytes(1000));
  proxy.strike(1000, { kind: "flipsDown", atByte: 10 }, isRead);
  const failure = await failureOf(transfers.download([rules.download], context));
  expect(failure.fault).toBe("storage");
  expect(failure.message).toContain("MD5");
  expect(await readdir(data)).toEqual([]);
});

test("s3: an ETag that only looks like an MD5 is believed to be none, once the same bytes have come twice", async () => {
  const { farSide, transfers, rules, context, data, problems } = await setUpBoth("s3");
  farSide.put("in/model", "hello");
  const object = farSide.output("in/model");
  if (object) object.etag = `"${"5".repeat(32)}"`;
  await transfers.download([rules.download], context);
  expect(await readFile(join(data, "model"), "utf8")).toBe("hello");
  expect(problems.at(-1)).toContain("twice");
});
