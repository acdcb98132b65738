/** The bucket: consistent, as R2 is, and reached over a network that loses calls and answers, by the API and by nodes. */
import type { BucketPort } from "../../../src/storage/bucket-port.ts";
import type { Caller } from "./d1.ts";
import type { Faults } from "./faults.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

export interface StoredObject {
  size: number;
  text: string;
  /** Its bytes have the hash that its name says. */
  sound: boolean;
  /** Since when it is there. */
  storedMs?: number;
}

export interface BucketWatcher {
  stored(key: string, object: StoredObject, before: StoredObject | undefined): void;
  deleted(key: string): void;
  /** By nobody's doing: lost, or other bytes. */
  rotted(key: string): void;
}

/** Small, so that lists have several pages. */
const pageSize = 3;

export class SimulatedBucket {
  /** By job: `snapshots/USER/JOB/`. */
  readonly #places = new Map<string, Map<string, StoredObject>>();
  readonly #schedule: Schedule;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #watcher: BucketWatcher;

  constructor(schedule: Schedule, faults: Faults, random: Random, watcher: BucketWatcher) {
    this.#schedule = schedule;
    this.#faults = faults;
    this.#random = random;
    this.#watcher = watcher;
  }

  get(key: string): StoredObject | undefined {
    return this.#places.get(placeOfJob(key))?.get(key);
  }

  keys(): string[] {
    return [...this.#places.values()].flatMap((place) => [...place.keys()]);
  }

  /** A PUT that has arrived. False: `onlyIfAbsent`, and there is one. */
  put(key: string, object: StoredObject, onlyIfAbsent: boolean): boolean {
    const before = this.get(key);
    if (before && onlyIfAbsent) return false;
    const place = placeOfJob(key);
    let objects = this.#places.get(place);
    if (!objects) {
      objects = new Map();
      this.#places.set(place, objects);
    }
    objects.set(key, { ...object, storedMs: this.#schedule.nowMs });
    this.#watcher.stored(key, object, before);
    return true;
  }

  /** Some object is lost, or has other bytes from now on. */
  rot(): void {
    // Manifests are few, and the more is lost with one.
    const manifest = this.#random.chance(0.5);
    const keys = this.keys().filter((key) => key.includes("/manifest-") === manifest);
    if (keys.length === 0) return;
    const key = this.#random.pick(keys);
    const object = this.get(key);
    if (!object) return;
    this.#watcher.rotted(key);
    if (this.#random.chance(0.5)) this.#places.get(placeOfJob(key))?.delete(key);
    else this.#places.get(placeOfJob(key))?.set(key, { ...object, text: "rotten", sound: false });
  }

  /** As a request of the API, or the sweep, has it. */
  port(caller: Caller): BucketPort {
    return {
      open: (key, maxBytes) =>
        this.#call(caller, false, () => {
          const object = this.get(key);
          if (!object) return null;
          return { size: object.size, body: bytesOf(object.text.slice(0, maxBytes)) };
        }),
      size: (key) => this.#call(caller, false, () => this.get(key)?.size ?? null),
      sha256: (key) =>
        this.#call(caller, false, () => {
          const object = this.get(key);
          if (!object) return null;
          return object.sound ? key.slice(key.lastIndexOf("/") + 1).replace("manifest-", "") : "other";
        }),
      list: (prefix, cursor) => this.#call(caller, false, () => this.#page(prefix, cursor)),
      delete: (keys) => this.#call(caller, true, () => this.#delete(keys)),
    };
  }

  #page(prefix: string, cursor: string | null) {
    const objects = [...(this.#places.get(placeOfJob(prefix)) ?? [])]
      .filter(([key]) => key.startsWith(prefix) && (cursor === null || key > cursor))
      .sort(([one], [other]) => (one < other ? -1 : 1));
    const page = objects.slice(0, pageSize).map(([key, { size }]) => ({ key, size }));
    return { objects: page, cursor: objects.length > pageSize ? (page.at(-1)?.key ?? null) : null };
  }

  #delete(keys: string[]): void {
    for (const key of keys) {
      if (this.#places.get(placeOfJob(key))?.delete(key)) this.#watcher.deleted(key);
    }
  }

  #call<T>(caller: Caller, writes: boolean, work: () => T): Promise<T> {
    const fault = this.#faults.ofBucket(writes);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const schedule = this.#schedule;
    const answer = (afterMs: number, settle: () => void) =>
      schedule.after(afterMs, () => {
        if (!caller.alive) return;
        schedule.touched = true;
        settle();
      });
    const failed = () => reject(new Error("R2: internal error"));
    if (fault.kind === "crash-before") caller.crash();
    else if (fault.kind === "refused") answer(fault.thereMs, failed);
    else if (fault.kind === "late") {
      answer(fault.thereMs, failed);
      schedule.after(fault.thereMs + fault.lateMs, () => void work());
    } else {
      schedule.after(fault.thereMs, () => {
        const result = work();
        if (fault.kind === "crash-after") caller.crash();
        else answer(fault.backMs, fault.kind === "answer-lost" ? failed : () => resolve(result));
      });
    }
    return promise;
  }
}

/** The first three parts of a key, with the slash. */
export function placeOfJob(key: string): string {
  return `${key.split("/").slice(0, 3).join("/")}/`;
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  // In two pieces, wherever they fall.
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  yield bytes.subarray(half);
}
