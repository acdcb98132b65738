/** Who gives no answers in a pass: SaladCloud altogether, or only about one organization's groups, whose trouble is nobody else's. */

/** So many in a row: each further rule would wait for an answer in vain. */
const answersMissed = 6;
/** Of so many organizations without an answer in between: then it is the API that is down. */
const organizationsMissed = 3;

export class Silence {
  /** Answers missed in a row, by organization. */
  readonly #missed = new Map<string, number>();
  /** Whose answers were missed since the last one that came. */
  #row: string[] = [];

  missed(organization: string): void {
    this.#missed.set(organization, (this.#missed.get(organization) ?? 0) + 1);
    this.#row.push(organization);
  }

  answered(organization: string): void {
    this.#missed.delete(organization);
    this.#row = [];
  }

  isOf(organization: string): boolean {
    return (this.#missed.get(organization) ?? 0) >= answersMissed;
  }

  isEverywhere(): boolean {
    return this.#row.length >= answersMissed && new Set(this.#row).size >= organizationsMissed;
  }
}
