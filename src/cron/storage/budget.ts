import type { StoragePorts } from "../../storage/ports.ts";

/** The same ports, and how much was asked of them: a pass that has asked enough ends, and the next one goes on. */
export interface Budget {
  ports: StoragePorts;
  isSpent(): boolean;
}

/** Counts calls of D1 and of the bucket; a Worker has 1,000 subrequests at least. Whatever has begun is carried to its end. */
export function withBudget(ports: StoragePorts, calls: number): Budget {
  let left = calls;
  const counted =
    <Args extends unknown[], Answer>(call: (...args: Args) => Promise<Answer>) =>
    (...args: Args): Promise<Answer> => {
      left--;
      return call(...args);
    };
  const { bucket, d1 } = ports;
  return {
    ports: {
      ...ports,
      d1: { batch: counted((statements) => d1.batch(statements)) },
      bucket: {
        open: counted((key, maxBytes) => bucket.open(key, maxBytes)),
        size: counted((key) => bucket.size(key)),
        sha256: counted((key) => bucket.sha256(key)),
        list: counted((prefix, cursor) => bucket.list(prefix, cursor)),
        delete: counted((keys) => bucket.delete(keys)),
      },
    },
    isSpent: () => left <= 0,
  };
}
