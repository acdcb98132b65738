import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { forEachBounded, Slots, Turns } from "../../src/transfer/bounded.ts";

const never = new AbortController().signal;

test("no more at once than there are slots, first come first served, and none is lost by a failure", async () => {
  const slots = new Slots(3);
  let [now, most] = [0, 0];
  const order: number[] = [];
  const work = (number: number) => async () => {
    now += 1;
    most = Math.max(most, now);
    order.push(number);
    await turn();
    now -= 1;
    if (number % 2) throw new Error("as wished");
  };
  await Promise.allSettled(Array.from({ length: 20 }, (_, number) => slots.run(never, work(number))));
  expect(most).toBe(3);
  expect(order).toEqual(Array.from({ length: 20 }, (_, number) => number));
});

test("whoever gives up waiting for a slot takes none with him", async () => {
  const slots = new Slots(1);
  const held = Promise.withResolvers<void>();
  const first = slots.run(never, () => held.promise);
  const impatient = new AbortController();
  const second = slots.run(impatient.signal, async () => "never");
  const third = slots.run(never, async () => "third");
  impatient.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  held.resolve();
  await first;
  expect(await third).toBe("third");
});

test("two transfers of one key never run at once, also when one in between gives up", async () => {
  const turns = new Turns();
  const story: string[] = [];
  const held = Promise.withResolvers<void>();
  const impatient = new AbortController();
  const first = turns.run("key", never, async () => {
    story.push("first begins");
    await held.promise;
    story.push("first ends");
  });
  const second = turns.run("key", impatient.signal, async () => story.push("second"));
  const third = turns.run("key", never, async () => story.push("third"));
  await turns.run("other", never, async () => story.push("other key"));
  impatient.abort(new Error("enough"));
  await expect(second).rejects.toThrow("enough");
  held.resolve();
  await Promise.all([first, third]);
  expect(story).toEqual(["first begins", "other key", "first ends", "third"]);
});

test("after the first failure nothing more is begun", async () => {
  const begun: number[] = [];
  const stopped: unknown[] = [];
  const failure = new Error("as wished");
  const work = async (number: number) => {
    begun.push(number);
    await turn();
    if (number === 1) throw failure;
  };
  await expect(forEachBounded([0, 1, 2, 3, 4, 5], 2, work, (reason) => stopped.push(reason))).rejects.toBe(
    failure,
  );
  expect(begun.length).toBeLessThan(6);
  expect(stopped).toEqual([failure]);
});
