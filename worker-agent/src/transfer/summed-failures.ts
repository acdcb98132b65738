/** Many failures in one error: a job of ten thousand files must not fail with a message of a megabyte. */
import { TransferError } from "./ports.ts";

const named = 10;

export function summed(failures: TransferError[]): TransferError {
  const [first] = failures;
  if (first !== undefined && failures.length === 1) return first;
  const lines = failures.slice(0, named).map((failure) => failure.message);
  if (failures.length > named) lines.push(`… and ${failures.length - named} more`);
  return new TransferError(worst(failures), `${failures.length} files failed:\n${lines.join("\n")}`, {
    cause: new AggregateError(failures),
  });
}

/** A config fault is the user's to mend; storage may be better elsewhere or later; a node's disk only elsewhere. */
function worst(failures: TransferError[]): TransferError["fault"] {
  for (const fault of ["config", "storage"] as const) {
    if (failures.some((failure) => failure.fault === fault)) return fault;
  }
  return "node";
}
