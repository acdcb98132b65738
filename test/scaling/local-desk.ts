import { Desk } from "../../src/scaling/desk.ts";

/** A desk in memory: one process scales alone. */
export class LocalDesk extends Desk {
  constructor(nowMs: () => number) {
    const kept = new Map<string, unknown>();
    super(
      {
        get: (name) => kept.get(name),
        put: (name, value) => void kept.set(name, value),
        delete: (name) => void kept.delete(name),
      },
      nowMs,
    );
  }
}
