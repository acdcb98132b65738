import { describe, expect, test } from "vitest";
import { ExpiringCache } from "../../../src/domain/expiring-cache.ts";
import { SharedCalls, within } from "../../../src/http/shared-calls.ts";

describe("a shared call", () => {
  test("is one per key until it is over, and is kept beyond the request that began it", async () => {
    const calls = new SharedCalls<number>();
    const kept: Promise<unknown>[] = [];
    const answer = Promise.withResolvers<number>();
    let begun = 0;
    const share = (key: string) =>
      calls.share(
        key,
        0,
        (call) => kept.push(call),
        () => {
          begun++;
          return answer.promise;
        },
      );
    const all = [share("a"), share("a"), share("b")];
    expect([begun, kept.length, calls.isUnderWay("a", 0)]).toEqual([2, 2, true]);
    answer.resolve(7);
    expect(await Promise.all(all)).toEqual([7, 7, 7]);
    await Promise.all(kept);
    expect(calls.isUnderWay("a", 0)).toBe(false);
    await share("a");
    expect(begun).toBe(3);
  });

  test("that fails fails for all who wait, and is begun anew by the next", async () => {
    const calls = new SharedCalls<number>();
    const kept: Promise<unknown>[] = [];
    const share = (call: () => Promise<number>) => calls.share("a", 0, (promise) => kept.push(promise), call);
    const failed = [share(() => Promise.reject(new Error("lost"))), share(() => Promise.resolve(1))];
    expect((await Promise.allSettled(failed)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    // What is kept never rejects: whoever waits has been told.
    await Promise.all(kept);
    expect(await share(() => Promise.resolve(2))).toBe(2);
  });

  test("whose request is gone is replaced after 30 s, and cannot end its successor", async () => {
    const calls = new SharedCalls<number>();
    const gone = Promise.withResolvers<number>();
    const next = Promise.withResolvers<number>();
    const kept: Promise<unknown>[] = [];
    const keep = (call: Promise<unknown>) => void kept.push(call);
    void calls.share("a", 0, keep, () => gone.promise);
    const second = calls.share("a", 29_999, keep, () => next.promise);
    const third = calls.share("a", 30_000, keep, () => next.promise);
    gone.resolve(1);
    expect(await second).toBe(1);
    await kept[0];
    expect(calls.isUnderWay("a", 30_000)).toBe(true);
    next.resolve(3);
    expect(await third).toBe(3);
  });

  test("is waited for no longer than one wants", async () => {
    expect(await within(new Promise<number>(() => undefined), 1)).toBeUndefined();
    expect(await within(Promise.resolve(5), 10_000)).toBe(5);
    await expect(within(Promise.reject(new Error("lost")), 10_000)).rejects.toThrow("lost");
  });
});

describe("an expiring cache", () => {
  test("knows an entry until just before its time", () => {
    const cache = new ExpiringCache<string>(2);
    cache.set("a", "1", 100);
    expect([cache.get("a", 99), cache.get("a", 100), cache.get("b", 0)]).toEqual(["1", undefined, undefined]);
  });

  test("gives up what was set longest ago", () => {
    const cache = new ExpiringCache<string>(2);
    cache.set("a", "1", 100);
    cache.set("b", "2", 100);
    cache.set("a", "3", 100);
    cache.set("c", "4", 100);
    expect(["a", "b", "c"].map((key) => cache.get(key, 0))).toEqual(["3", undefined, "4"]);
    cache.delete("a");
    expect(cache.get("a", 0)).toBeUndefined();
    cache.clear();
    expect(cache.get("c", 0)).toBeUndefined();
  });
});
