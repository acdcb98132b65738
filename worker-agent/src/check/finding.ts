/** What became of one question. */
export interface Finding {
  /** `skipped`: it could not or need not be asked; no reason to worry by itself. */
  verdict: "ok" | "failed" | "skipped";
  /** What was found; of a failure what is wrong, and what to do about it. */
  says: string;
}

export const ok = (says: string): Finding => ({ verdict: "ok", says });
export const failed = (says: string): Finding => ({ verdict: "failed", says });
export const skipped = (says: string): Finding => ({ verdict: "skipped", says });
