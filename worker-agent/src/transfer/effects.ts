/**
 * Effects happen under trust only (design.md, lease protocol, rule 6). `underTrust` turns the attempt's gate into
 * terms: one stretch of trust each. Work that a lapse interrupts is started over in the next term and never counts
 * as failed; work under an ended attempt ends at once, with the attempt's own reason.
 */
import { orAborted } from "./bounded.ts";
import { Ended } from "./failures.ts";
import type { TransferContext } from "./ports.ts";
import { pause } from "./retry.ts";

/** One stretch of trust. */
export interface Term {
  /** Aborts when trust lapses and when the attempt is over. */
  readonly signal: AbortSignal;
  /** To be awaited before each request that has an effect. Rejects once the term is over. */
  confirm(): Promise<void>;
}

/** A gate that says "ready" beside an aborted signal is asked again, but not in a tight loop. */
const contradictionPauseMs = 50;

export async function underTrust<T>(context: TransferContext, work: (term: Term) => Promise<T>): Promise<T> {
  for (;;) {
    await trusted(context, context.signal);
    const lapse = context.gate.signal;
    if (lapse.aborted) {
      await untilEnded(context, pause(contradictionPauseMs, context.signal));
      continue;
    }
    const signal = AbortSignal.any([lapse, context.signal]);
    try {
      return await work({ signal, confirm: () => trusted(context, signal) });
    } catch (failure) {
      if (failure instanceof Ended) throw failure;
      throwIfEnded(context);
      if (!lapse.aborted) throw failure;
    }
  }
}

/** Throws `Ended` when the attempt is over: then every failure is but its consequence. */
export function throwIfEnded(context: TransferContext): void {
  if (context.signal.aborted) throw new Ended(context.signal.reason);
}

async function untilEnded(context: TransferContext, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (failure) {
    throwIfEnded(context);
    throw failure;
  }
}

async function trusted(context: TransferContext, signal: AbortSignal): Promise<void> {
  throwIfEnded(context);
  signal.throwIfAborted();
  const ready = context.gate.ready().catch((reason: unknown) => {
    throw new Ended(reason);
  });
  try {
    await orAborted(ready, signal);
  } catch (failure) {
    throwIfEnded(context);
    throw failure;
  }
  throwIfEnded(context);
  signal.throwIfAborted();
}
