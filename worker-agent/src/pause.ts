/** Waiting that can be cut short: the only timers that loops of the agent use. */
import { setTimeout as sleep } from "node:timers/promises";

/** Waits; false when the signal cut it short. */
export async function pause(durationMs: number, signal?: AbortSignal): Promise<boolean> {
  try {
    await sleep(Math.max(0, durationMs), undefined, signal ? { signal } : {});
    return true;
  } catch (error) {
    if (signal?.aborted) return false;
    throw error;
  }
}

/** How long to wait before try number `failures` + 1: exponential, between half and all of it at random. */
export function backoffMs(failures: number, firstMs: number, capMs: number): number {
  const fullMs = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 20));
  return fullMs * (0.5 + Math.random() / 2);
}

/** The same length give or take a fifth, so that a fleet started together does not call together. */
export function jittered(durationMs: number): number {
  return durationMs * (0.8 + Math.random() * 0.4);
}

/** The promise's value, or undefined when the signal aborts first. Leaves no listener on long-lived signals. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const cut = Promise.withResolvers<undefined>();
  const onAbort = () => cut.resolve(undefined);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, cut.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
