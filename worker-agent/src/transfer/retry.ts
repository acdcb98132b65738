/**
 * The one place that decides what is tried again; whom a failure is blamed on is listed in blame.ts.
 *
 * Worth another try: whatever may be different in a moment (the network, an overloaded or broken storage).
 * Not worth it: an answer about the request itself (credentials, names, permissions) and this node's own disk.
 */
import { setTimeout as delay } from "node:timers/promises";
import { blameOfAnswer, blameOfErrno, isPassing } from "./blame.ts";
import {
  BadAnswer,
  FileDisturbed,
  GrantRefused,
  LocalFailure,
  Refused,
  Stalled,
  StorageError,
  systemCode,
} from "./failures.ts";
import { TransferError } from "./ports.ts";

export interface Patience {
  tries: number;
  backoffBaseMs: number;
}

/** With the defaults that ports.ts tells. */
export function patienceOf({ tries = 6, backoffBaseMs = 500 }: Partial<Patience>): Patience {
  return { tries, backoffBaseMs };
}

const backoffCapMs = 20_000;

export interface Verdict {
  retry: boolean;
  fault: TransferError["fault"];
}

export function judge(failure: unknown): Verdict {
  if (failure instanceof TransferError) return { retry: false, fault: failure.fault };
  if (failure instanceof StorageError) {
    const { status, code, method } = failure;
    return { retry: isPassing(status, code), fault: blameOfAnswer(status, code, method) };
  }
  if (failure instanceof Stalled || failure instanceof BadAnswer) return { retry: true, fault: "storage" };
  // Each try asks for another one.
  if (failure instanceof GrantRefused) return { retry: true, fault: "storage" };
  if (failure instanceof LocalFailure) return { retry: false, fault: blameOfErrno(failure.code) };
  // Judged at the end, when the command is over: a process that it left running writes on, as it would elsewhere.
  if (failure instanceof FileDisturbed || failure instanceof Refused)
    return { retry: false, fault: "config" };
  // undici and Node name trouble of sockets, DNS and TLS by a code. An error without one is a bug of ours.
  return { retry: systemCode(failure) !== undefined, fault: "storage" };
}

/** Waits before the try that follows `failures` failed ones: random, so that many nodes do not come back as one. */
export async function backOff(failures: number, patience: Patience, signal: AbortSignal): Promise<void> {
  const ceilingMs = Math.min(backoffCapMs, patience.backoffBaseMs * 2 ** (failures - 1));
  await pause(Math.random() * ceilingMs, signal);
}

/** Sleeps; rejects with the signal's reason when it aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch (aborted) {
    signal.throwIfAborted();
    throw aborted;
  }
}

/** Tries until it works, until another try is pointless, or until the tries are used up. */
export async function retrying<T>(
  patience: Patience,
  signal: AbortSignal,
  work: (failuresSoFar: number) => Promise<T>,
): Promise<T> {
  for (let failures = 0; ; ) {
    signal.throwIfAborted();
    try {
      return await work(failures);
    } catch (failure) {
      // An aborted request fails in many guises; the reason of the abort is the truth.
      signal.throwIfAborted();
      failures += 1;
      if (failures >= patience.tries || !judge(failure).retry) throw failure;
    }
    await backOff(failures, patience, signal);
  }
}
