/** A rule's `pattern`: which of its files it means. */
import type { DownloadRule, UploadRule } from "../../../../src/contract/index.ts";
import { TransferError } from "../ports.ts";
import { PatternThread } from "./pattern-thread.ts";

/** One for the whole agent: it does nothing most of the time. */
const agentThread = new PatternThread();

/** Verdicts that are kept: a mirror looks at the same names again and again. */
const verdictsMax = 200_000;

export class RulePattern {
  readonly #source: string | undefined;
  readonly #rule: string;
  readonly #thread: PatternThread;
  #verdicts = new Map<string, boolean>();

  /** `rule`: in words, for the message when the pattern turns out to be unusable. */
  constructor(source: string | undefined, rule: string, thread = agentThread) {
    this.#source = source;
    this.#rule = rule;
    this.#thread = thread;
  }

  /** Whether there is a pattern at all. */
  get narrows(): boolean {
    return this.#source !== undefined;
  }

  /**
   * Those of the items whose text the pattern is found in.
   *
   * @throws TransferError of fault `config` when the pattern takes too long.
   */
  async filter<Item>(items: Item[], textOf: (item: Item) => string): Promise<Item[]> {
    if (this.#source === undefined || items.length === 0) return items;
    const texts = items.map(textOf);
    const open = [...new Set(texts)].filter((text) => !this.#verdicts.has(text));
    const told = await this.#test(this.#source, open);
    const wanted = items.filter((_, index) => {
      const text = texts[index] ?? "";
      return told.get(text) ?? this.#verdicts.get(text);
    });
    if (this.#verdicts.size + told.size > verdictsMax) this.#verdicts = new Map();
    for (const [text, verdict] of told) this.#verdicts.set(text, verdict);
    return wanted;
  }

  async #test(source: string, texts: string[]): Promise<Map<string, boolean>> {
    if (texts.length === 0) return new Map();
    const found = await this.#thread.test(source, texts);
    if (typeof found === "string")
      throw new TransferError("config", `the pattern ${JSON.stringify(source)} of ${this.#rule} ${found}`);
    return new Map(texts.map((text, index) => [text, found[index] === true]));
  }
}

export function patternOf(rule: DownloadRule | UploadRule): RulePattern {
  const { direction, prefix, local_path, pattern } = rule;
  const place = rule.bucket === undefined ? `managed:${prefix}` : `${rule.bucket}/${prefix}`;
  return new RulePattern(pattern, `the ${direction} rule for ${place} and ${local_path}`);
}
