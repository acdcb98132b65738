/**
 * Replaces secrets in a stream of bytes, also where one is torn over several portions: an end that may be the beginning of a secret is
 * held back until it is known what follows.
 */

const mask = "***";
/** A torn beginning that is shorter tells next to nothing, and may be anything. */
const tornCharsMin = 4;

export class Masker {
  readonly #secrets: string[];
  readonly #pattern: RegExp | undefined;
  #held = "";

  /** `secrets`: as bytes in latin1, the longest first. */
  constructor(secrets: string[]) {
    this.#secrets = secrets;
    const alternatives = secrets.map((secret) => secret.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
    this.#pattern = secrets.length > 0 ? new RegExp(alternatives.join("|"), "g") : undefined;
  }

  /** What may be shown of all so far and has not been yet. */
  push(bytes: Buffer): Buffer {
    if (!this.#pattern) return bytes;
    const text = this.#held + bytes.toString("latin1");
    let shown = "";
    let at = 0;
    let holdFrom = this.#tornFrom(text, 0);
    for (const match of text.matchAll(this.#pattern)) {
      // It may be a longer secret, or lie in one, whose end has not come.
      if (match.index >= holdFrom) break;
      shown += text.slice(at, match.index) + mask;
      at = match.index + match[0].length;
      if (at > holdFrom) holdFrom = this.#tornFrom(text, at);
    }
    this.#held = text.slice(holdFrom);
    return Buffer.from(shown + text.slice(at, holdFrom), "latin1");
  }

  /** What is held back: nothing follows, or something is missing before what follows. */
  end(): Buffer {
    let held = this.#held;
    this.#held = "";
    if (!this.#pattern || held === "") return Buffer.alloc(0);
    held = held.replaceAll(this.#pattern, mask);
    const torn = held.slice(this.#tornFrom(held, 0));
    if (torn.length >= tornCharsMin) held = held.slice(0, -torn.length) + mask;
    return Buffer.from(held, "latin1");
  }

  /** The first position, not before `from`, from which on all may be the beginning of a secret; the end: none. */
  #tornFrom(text: string, from: number): number {
    let first = text.length;
    for (const secret of this.#secrets) {
      const earliest = Math.max(from, text.length - secret.length + 1);
      const begin = secret.charAt(0);
      for (let at = text.indexOf(begin, earliest); at >= 0 && at < first; at = text.indexOf(begin, at + 1)) {
        if (!secret.startsWith(text.slice(at))) continue;
        first = at;
      }
    }
    return first;
  }
}
