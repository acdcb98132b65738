/**
 * Writes that come while D1 is busy with two others go there together, in one transaction, once it has answered: a D1 database runs
 * one at a time anyway, and what a transaction costs beyond its statements is most of it (docs/performance.md).
 *
 * Each of them is fenced on its own and its side effects hang on its own operation id, so that sharing changes
 * nothing but this: an error leaves open what became of all of them. Each reads back its own.
 */
import type { D1Port } from "../db/d1-port.ts";
import type { SqlRecord } from "../db/job-record.ts";
import type { Statement } from "../db/statement.ts";

/**
 * Transactions under way at once. One would gather the most, but a call that hangs (D1 allows 30 s) would hold up the whole
 * group; with two the other goes on.
 */
const maxUnderWay = 2;
/** Statements of one transaction: some milliseconds, of the 30 s that D1 allows. One caller's own may be more. */
const maxStatements = 100;

interface Waiting {
  statements: Statement[];
  resolve(results: SqlRecord[][]): void;
  reject(error: unknown): void;
}

export class SharedBatches implements D1Port {
  readonly #d1: D1Port;
  #waiting: Waiting[] = [];
  #underWay = 0;
  /** After an error, until nothing waits: whose statement D1 refuses shall not take the others along again and again. */
  #oneByOne = false;

  constructor(d1: D1Port) {
    this.#d1 = d1;
  }

  batch(statements: Statement[]): Promise<SqlRecord[][]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statements, resolve, reject });
      if (this.#underWay < maxUnderWay) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#underWay++;
    while (this.#waiting.length > 0) await this.#write(this.#next());
    this.#underWay--;
    this.#oneByOne = false;
  }

  async #write(together: Waiting[]): Promise<void> {
    try {
      const results = await this.#d1.batch(together.flatMap(({ statements }) => statements));
      let at = 0;
      for (const { statements, resolve } of together) {
        resolve(results.slice(at, at + statements.length));
        at += statements.length;
      }
    } catch (error) {
      for (const { reject } of together) reject(error);
      this.#oneByOne = true;
    }
  }

  #next(): Waiting[] {
    if (this.#oneByOne) return this.#waiting.splice(0, 1);
    let statements = 0;
    const end = this.#waiting.findIndex((one, at) => {
      statements += one.statements.length;
      return at > 0 && statements > maxStatements;
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }
}
