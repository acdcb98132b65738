/**
 * The generations of one prefix, as the attempt that writes them knows them: the base that the next one builds on, and what has
 * been sent for that next one, the open generation. What was sent stays usable until the open generation is committed,
 * however many cuts are dropped before.
 */
import type { GenerationName, ManifestHead } from "../../../src/contract/index.ts";
import { Slots } from "../transfer/bounded.ts";

/**
 * The attempt's own count of generations, over all its prefixes: it rises with each commit. So one generation is sent at a
 * time; a number that another prefix has overtaken is given up, with what was sent under it.
 */
export class GenerationNumbers {
  /** One generation of the attempt goes up at a time. */
  readonly turn = new Slots(1);
  #last = 0;
  #committed = 0;

  /** `open`: the number under which chunks were sent already. */
  current(open: number | undefined): number {
    if (open !== undefined && open > this.#committed) return open;
    this.#last += 1;
    return this.#last;
  }

  committed(generation: number): void {
    this.#committed = Math.max(this.#committed, generation);
  }
}

export class Series {
  readonly prefix: string;
  readonly #attempt: number;
  readonly #numbers: GenerationNumbers;
  #base: GenerationName | null = null;
  /** Of the base, by SHA-256. */
  #baseChunks = new Map<string, GenerationName>();
  #baseDigest: string | undefined;
  #baseFiles = 0;
  #open: number | undefined;
  readonly #sent = new Set<string>();

  constructor(prefix: string, attempt: number, numbers: GenerationNumbers) {
    this.prefix = prefix;
    this.#attempt = attempt;
    this.#numbers = numbers;
  }

  get base(): GenerationName | null {
    return this.#base;
  }

  /** Files of the base. */
  get baseFiles(): number {
    return this.#baseFiles;
  }

  /** Says what the base holds, whatever its name: the same digest, the same directory. */
  get baseDigest(): string | undefined {
    return this.#baseDigest;
  }

  /** A base of which only the name is known: nothing of it is used again. */
  buildOnName(name: GenerationName | null): void {
    this.#base = name && { attempt: name.attempt, generation: name.generation };
    this.#baseDigest = undefined;
    this.#baseChunks = new Map();
  }

  buildOn({ attempt, generation, chunks, files }: ManifestHead, digest: string): void {
    this.#base = { attempt, generation };
    this.#baseDigest = digest;
    this.#baseFiles = files;
    this.#baseChunks = new Map(
      chunks.map(([attempt, generation, sha256]) => [sha256, { attempt, generation }]),
    );
  }

  get turn(): Slots {
    return this.#numbers.turn;
  }

  /** The number of the open generation. To be asked in turn. */
  openGeneration(): number {
    const current = this.#numbers.current(this.#open);
    if (current !== this.#open) this.#sent.clear();
    this.#open = current;
    return current;
  }

  isStored(sha256: string): boolean {
    return this.#baseChunks.has(sha256) || this.#sent.has(sha256);
  }

  storedIn(sha256: string): GenerationName {
    return this.#baseChunks.get(sha256) ?? { attempt: this.#attempt, generation: this.#open ?? 0 };
  }

  sent(sha256: string): void {
    this.#sent.add(sha256);
  }

  /** The storage lacks it: to be sent again. */
  isMissing(sha256: string): void {
    this.#sent.delete(sha256);
    this.#baseChunks.delete(sha256);
  }

  /** The number is given up, with what was sent under it and the head does not name. */
  overtaken(generation: number): void {
    this.#numbers.committed(generation);
  }

  committed(head: ManifestHead, digest: string): void {
    this.#numbers.committed(head.generation);
    this.buildOn(head, digest);
    this.#open = undefined;
    this.#sent.clear();
  }
}
