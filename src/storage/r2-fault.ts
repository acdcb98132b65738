/**
 * What R2's binding throws, as values where somebody is to be told. It names its faults by a number at the end of the message, and
 * by nothing else.
 */
const faults = {
  10011: "parts",
  10024: "no_upload",
  10025: "parts",
  10037: "checksum",
  10039: "range",
  10048: "parts",
} as const;
export type R2Fault = (typeof faults)[keyof typeof faults];

/** Runs it; a fault that is the caller's becomes a value, any other is thrown on. */
export async function r2Outcome<Value>(
  work: () => Promise<Value>,
): Promise<{ value: Value } | { fault: R2Fault }> {
  try {
    return { value: await work() };
  } catch (error) {
    const number = error instanceof Error ? /\((\d{5,6})\)$/.exec(error.message)?.[1] : undefined;
    const fault = (faults as Record<string, R2Fault>)[number ?? ""];
    if (fault === undefined) throw error;
    return { fault };
  }
}
