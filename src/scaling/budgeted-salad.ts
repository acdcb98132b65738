/** Salad's API within the budget: waits for a request's turn, gives way on 429, asks a second time where that changes nothing. */
import type { RequestKind } from "../domain/request-budget.ts";
import type { SaladAnswer, SaladRefusal } from "../salad/client.ts";
import type { SaladPort, ScalingPorts } from "./ports.ts";

/** Before a look that failed is repeated, and as much again at random. */
const retryMs = 500;
/** Persons may be thousands at once, and all of a deployment share the object that keeps the budget. */
const personsTries = 2;

export type Asked = Pick<ScalingPorts, "budget" | "nowMs" | "sleep" | "random">;

/** `untilMs`: whoever would have to wait longer for a request gets `unavailable` instead. */
export function budgeted(
  salad: SaladPort,
  { budget, nowMs, sleep, random }: Asked,
  what: RequestKind,
  untilMs: number,
): SaladPort {
  /** Null: there is a request to ask with. */
  async function wait(): Promise<typeof budgetSpent | null> {
    for (let tries = 1; ; tries++) {
      const taken = await budget.take(what);
      if (taken.ok) return null;
      const isLast = what === "ask" && tries === personsTries;
      if (isLast || nowMs() + taken.waitMs > untilMs) return budgetSpent;
      await sleep(taken.waitMs);
    }
  }
  async function ask<T>(call: () => Promise<SaladAnswer<T>>): Promise<SaladAnswer<T>> {
    const spent = await wait();
    if (spent) return spent;
    const answer = await call();
    if (!answer.ok && answer.status === 429) await budget.exhausted();
    return answer;
  }
  async function look<T>(call: () => Promise<SaladAnswer<T>>): Promise<SaladAnswer<T>> {
    const answer = await ask(call);
    // A 429 rests, a timeout has taken long enough, and the next minute asks again anyway.
    if (answer.ok || (answer.status ?? 0) < 500) return answer;
    await sleep(retryMs * (1 + random()));
    return await ask(call);
  }
  return {
    getGroup: (place) => look(() => salad.getGroup(place)),
    listGroups: (place) => look(() => salad.listGroups(place)),
    listInstances: (place) => look(() => salad.listInstances(place)),
    readQuota: (organization) => look(() => salad.readQuota(organization)),
    setReplicas: (place, replicas) => ask(() => salad.setReplicas(place, replicas)),
    startGroup: (place) => ask(() => salad.startGroup(place)),
    stopGroup: (place) => ask(() => salad.stopGroup(place)),
    // An organization may have so many in a minute. A 429 most likely means those, and is nobody else's; if it means the key's requests, the next look meets it too.
    reallocate: async (place, instanceId) => (await wait()) ?? (await salad.reallocate(place, instanceId)),
  };
}

/** No request was made. */
export const budgetSpent = {
  ok: false,
  reason: "unavailable",
  detail: "the requests that SaladCloud takes in a minute are used up",
} as const;

/** Whether a change that was not confirmed may have been made, or be made yet. Of what Salad refuses, and of what it was not asked, it is certain. */
export const mayBeMade = (refusal: SaladRefusal) =>
  refusal.reason === "unavailable" && refusal.status !== 429 && refusal !== budgetSpent;
