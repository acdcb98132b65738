import type { GenerationName } from "../../contract/index.ts";
import type { KeptRecord } from "../../db/checkpoints/series.ts";

/** Pages of one generation's list: twice its chunks fit, with those of cuts that were dropped. */
export const generationPages = 120;

/** The generation that the next one builds on, and a resume begins with: the newest intact one of `readSeries`. */
export function headOf(series: KeptRecord[]): KeptRecord | null {
  return series.find(({ damaged }) => damaged === null) ?? null;
}

export function sameName(one: GenerationName | null, other: GenerationName | null): boolean {
  if (one === null || other === null) return one === other;
  return one.attempt === other.attempt && one.generation === other.generation;
}
