/** A blow: one fault or several at the same time. Drawn from chance first, carried out later. */
import type { MortalApi } from "../api.ts";
import type { Fleet } from "../fleet.ts";
import type { FaultKind } from "../logs/fault-log.ts";
import type { Node } from "../node.ts";

/** Where faults strike. */
export interface Ground {
  api: MortalApi;
  fleet: Fleet;
  signal: AbortSignal;
}

interface Drawn {
  kind: FaultKind;
  /** In words, as drawn. */
  what: string;
}

export interface ApiFault extends Drawn {
  strikes: "API";
  /** Resolves once it is over. */
  inject(ground: Ground): Promise<void>;
}

export interface NodeFault extends Drawn {
  strikes: "node";
  inject(ground: Ground, victim: Node): Promise<void>;
}

export type Fault = ApiFault | NodeFault;

export interface Blow {
  /** Since the blow before. */
  afterMs: number;
  /** Those that strike a node strike the same one. */
  faults: Fault[];
}

export const inSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
