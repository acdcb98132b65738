/** Removes one object; one that is gone already is fine. */
import type { Term } from "./effects.ts";
import type { ObjectStore } from "./object-store.ts";
import { type Patience, retrying } from "./retry.ts";

export function deleteObject(store: ObjectStore, patience: Patience, key: string, term: Term): Promise<void> {
  return retrying(patience, term.signal, async () => {
    await term.confirm();
    await store.delete(key, term.signal);
  });
}
