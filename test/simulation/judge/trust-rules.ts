/** Who may cause effects (rule 6): at any moment one attempt of a job at most, by its own judgement. */
import type { Holder } from "./holder.ts";
import type { Verdict } from "./verdict.ts";

export class TrustRules {
  readonly #verdict: Verdict;
  readonly #holders = new Map<string, Set<Holder>>();

  constructor(verdict: Verdict) {
    this.#verdict = verdict;
  }

  began(holder: Holder): void {
    const holders = this.#holders.get(holder.jobId);
    if (holders) holders.add(holder);
    else this.#holders.set(holder.jobId, new Set([holder]));
  }

  /** It has forgotten the attempt, or is dead. */
  over(holder: Holder): void {
    const holders = this.#holders.get(holder.jobId);
    holders?.delete(holder);
    if (holders?.size === 0) this.#holders.delete(holder.jobId);
  }

  /** A renewal succeeded. Frozen nodes count: they act on what their clocks say the moment they wake. */
  gained(holder: Holder): void {
    const other = this.#otherThatTrusts(holder);
    this.#verdict.require(
      "one attempt is trusted",
      holder.jobId,
      !other || !holder.trusts(),
      () =>
        `${holder.name} trusts attempt ${holder.attempt} while ${other?.name} trusts attempt ${other?.attempt}`,
    );
  }

  uploadBegan(holder: Holder): void {
    this.#verdict.note(holder.jobId, `upload of attempt ${holder.attempt} begins on ${holder.name}`);
    this.#verdict.require(
      "no upload without trust",
      holder.jobId,
      holder.trusts(),
      () => `${holder.name} has none`,
    );
    const other = this.#otherThatTrusts(holder);
    this.#verdict.require(
      "one attempt uploads",
      holder.jobId,
      !other,
      () => `${holder.name} uploads while ${other?.name} trusts attempt ${other?.attempt}`,
    );
  }

  /** Superseded ones that still run somewhere. */
  #otherThatTrusts(holder: Holder): Holder | undefined {
    const holders = this.#holders.get(holder.jobId);
    if (!holders || holders.size < 2) return undefined;
    return [...holders].find(
      (other) => other !== holder && other.attempt !== holder.attempt && other.trusts(),
    );
  }
}
