/** The node's token: had once for all, renewed in time, kept while the service is down. */
import { expect, test } from "vitest";
import { createClock } from "../src/clock.ts";
import type { Imds, ImdsAnswer } from "../src/imds/imds.ts";
import { NodeToken } from "../src/imds/node-token.ts";
import { tokenOf } from "./imds-server.ts";

const startSeconds = 1_700_000_000;

/** Time is set by hand. `skewSeconds`: by how much the node's wall clock is wrong. */
function start({ skewSeconds = 0 } = {}) {
  let nowMs = 0;
  let issued = 0;
  const state = {
    asked: 0,
    isDown: false,
    /** What the service hands out; undefined: a new token each time. */
    sameAgain: undefined as string | undefined,
    seen: [] as string[],
    forward: (seconds: number) => {
      nowMs += seconds * 1000;
    },
  };
  const nowSeconds = () => startSeconds + nowMs / 1000;
  const answer = async (): Promise<ImdsAnswer<string>> => {
    state.asked++;
    if (state.isDown) return { ok: false, message: "down" };
    const jwt =
      state.sameAgain ??
      tokenOf({ iat: nowSeconds(), exp: nowSeconds() + 300, n: ++issued, salad_organization_name: "acme" });
    return { ok: true, value: jwt };
  };
  const token = new NodeToken({
    imds: { token: answer } as Imds,
    clock: createClock({ monotonicMs: () => nowMs, bootMs: () => nowMs, wallMs: () => nowMs }),
    onToken: (jwt) => state.seen.push(jwt),
    wallMs: () => (nowSeconds() + skewSeconds) * 1000,
  });
  const jwt = async () => {
    const known = await token.get();
    return known.ok ? known.value.jwt : undefined;
  };
  return { token, jwt, state };
}

test("many who ask at once, and soon after, are served by one question", async () => {
  const { jwt, state } = start();
  const first = await Promise.all([jwt(), jwt(), jwt()]);
  expect(new Set(first).size).toBe(1);
  state.forward(100);
  expect(await jwt()).toBe(first[0]);
  expect(state.asked).toBe(1);
  expect(state.seen).toEqual([first[0]]);
});

test("it is renewed before its end, and nobody waits for that", async () => {
  const { jwt, state } = start();
  const first = await jwt();
  state.forward(151);
  expect(await jwt()).toBe(first);
  expect(state.asked).toBe(2);
  await expect.poll(jwt).not.toBe(first);
  expect(state.asked).toBe(2);
});

test("one that was handed out late in its life is renewed a minute before its end", async () => {
  const { jwt, state } = start();
  state.sameAgain = tokenOf({ iat: startSeconds - 180, exp: startSeconds + 120 });
  await jwt();
  state.forward(59);
  await jwt();
  expect(state.asked).toBe(1);
  state.forward(2);
  await jwt();
  expect(state.asked).toBe(2);
});

test("while the service is down the old one serves until its end; after it there is none, and then one again", async () => {
  const { jwt, state } = start();
  const first = await jwt();
  state.isDown = true;
  state.forward(290);
  expect(await jwt()).toBe(first);
  expect(await jwt()).toBe(first);
  // Not hammered meanwhile.
  expect(state.asked).toBe(2);
  state.forward(11);
  expect(await jwt()).toBeUndefined();
  state.isDown = false;
  expect(await jwt()).toEqual(expect.any(String));
});

test("one that the API refuses is had anew, once for all who were refused", async () => {
  const { token, jwt, state } = start();
  const first = (await jwt()) ?? "";
  state.forward(10);
  expect(await Promise.all([token.renew(first), token.renew(first)])).toEqual([true, true]);
  expect(state.asked).toBe(2);
  expect(await jwt()).not.toBe(first);
  // Whoever was refused with the old one only now finds the new one there.
  expect(await token.renew(first)).toBe(true);
  expect(state.asked).toBe(2);
});

test("a refusal of what the service hands out again and again does not make us ask again and again", async () => {
  const { token, jwt, state } = start();
  state.sameAgain = tokenOf({ iat: startSeconds, exp: startSeconds + 300 });
  const only = (await jwt()) ?? "";
  state.forward(10);
  for (let times = 0; times < 5; times++) expect(await token.renew(only)).toBe(false);
  expect(state.asked).toBe(2);
  // The same again is not younger for that.
  state.forward(240);
  await jwt();
  expect(state.asked).toBe(3);
});

test.each([3600, -3600])(
  "a clock that is wrong by %i s makes no fresh token look old, and no old one fresh",
  async (skewSeconds) => {
    const { jwt, state } = start({ skewSeconds });
    const first = await jwt();
    state.forward(60);
    expect(await jwt()).toBe(first);
    expect(state.asked).toBe(1);
    state.forward(121);
    state.isDown = true;
    expect(await jwt()).toBeUndefined();
  },
);

test("one that nobody can read is passed on: the API decides", async () => {
  const { jwt, state } = start();
  state.sameAgain = "opaque";
  expect(await jwt()).toBe("opaque");
  expect(await jwt()).toBe("opaque");
  expect(state.asked).toBe(1);
});
