/**
 * Uploads a directory and believes nothing: each object is looked up afterwards, and one that is missing or of another
 * size or checksum is uploaded again before the whole fails.
 */
import { relative, resolve } from "node:path";
import type { UploadRule } from "../../../src/contract/index.ts";
import { forEachBounded } from "./bounded.ts";
import { throwIfEnded, underTrust } from "./effects.ts";
import { BadAnswer, Ended, Refused, transferError } from "./failures.ts";
import { keyOf } from "./object-key.ts";
import type { ObjectStore, StoredObject } from "./object-store.ts";
import { patternOf } from "./patterns/rule-pattern.ts";
import { type TransferContext, TransferError } from "./ports.ts";
import { judge } from "./retry.ts";
import type { SharedBounds } from "./shared-bounds.ts";
import { summed } from "./summed-failures.ts";
import { uploadFile } from "./upload-file.ts";
import { type Walk, walk } from "./walk.ts";

/** Uploads of one file before a storage that loses it is given up. */
const uploadsPerFile = 3;

interface Output {
  path: string;
  key: string;
  /** Jobs know the file by the place that they wrote it to. */
  writtenAt: string;
}

export async function uploadDirectory(
  store: ObjectStore,
  bounds: SharedBounds,
  rule: UploadRule,
  from: string,
  context: TransferContext,
): Promise<void> {
  const found = await walk(from, context.signal, patternOf(rule));
  if (!found) return;
  const failures = await whatCannotGo(found, store, rule, from, context);
  const outputs = [...found.files]
    .sort(([, one], [, other]) => (one.state.mtimeNs < other.state.mtimeNs ? -1 : 1))
    .map(([path, { relativePath }]) => ({
      path,
      key: keyOf(rule.prefix, relativePath, context.compression),
      writtenAt: resolve(context.workdir, rule.local_path, relativePath),
    }));
  const refused = outputs.flatMap((output) => {
    const wrong = store.whatIsWrongWithKey(output.key);
    return wrong === undefined ? [] : [failureOf(store, output, new Refused(`the key ${wrong}`))];
  });
  // These outputs can never be complete: nothing of them is worth sending.
  if (refused.length > 0) throw summed([...failures, ...refused]);
  await new Upload(store, bounds, context, failures).run(outputs);
  if (failures.length > 0) throw summed(failures);
}

async function whatCannotGo(
  found: Walk,
  store: ObjectStore,
  rule: UploadRule,
  from: string,
  context: TransferContext,
): Promise<TransferError[]> {
  const failures = found.unreadable.map((failure) =>
    transferError(judge(failure).fault, `upload to ${store.describe(rule.prefix)}`, failure),
  );
  for (const { path, why, dangling } of found.passedOver) {
    const writtenAt = resolve(context.workdir, rule.local_path, relative(from, path));
    if (dangling) failures.push(new TransferError("config", `${writtenAt} cannot be uploaded: ${why}`));
    else context.onProblem?.(`${writtenAt} is not uploaded: ${why}`);
  }
  return failures;
}

/** Rounds of uploading and looking: what was found wrong goes up again in the next. */
class Upload {
  readonly #store: ObjectStore;
  readonly #bounds: SharedBounds;
  readonly #context: TransferContext;
  readonly #failures: TransferError[];

  constructor(store: ObjectStore, bounds: SharedBounds, context: TransferContext, failures: TransferError[]) {
    this.#store = store;
    this.#bounds = bounds;
    this.#context = context;
    this.#failures = failures;
  }

  async run(outputs: Output[]): Promise<void> {
    let left = outputs;
    for (let uploads = 1; left.length > 0; uploads += 1) {
      const uploaded = await this.#uploadAll(left);
      const wrong = await this.#verify(uploaded);
      left = left.filter(({ key }) => wrong.has(key));
      for (const output of left) {
        const problem = wrong.get(output.key);
        if (uploads === uploadsPerFile)
          this.#fail(output, new BadAnswer(`uploaded ${uploads} times, and ${problem}`));
        else {
          const object = this.#store.describe(output.key);
          this.#context.onProblem?.(`${object} was uploaded, but ${problem}; uploading it again`);
        }
      }
      if (uploads === uploadsPerFile) return;
    }
  }

  /** One bad file does not keep the others from being saved. */
  async #uploadAll(outputs: Output[]): Promise<Map<string, StoredObject>> {
    const uploaded = new Map<string, StoredObject>();
    await forEachBounded(
      outputs,
      this.#bounds.concurrentFiles,
      async (output) => {
        const stored = await this.#upload(output);
        if (stored) uploaded.set(output.key, stored);
      },
      () => {},
    );
    return uploaded;
  }

  async #upload(output: Output): Promise<StoredObject | undefined> {
    const { path, key, writtenAt } = output;
    this.#context.observer.began("upload", writtenAt);
    let bytes = 0;
    try {
      const stored = await uploadFile(this.#bounds, { store: this.#store, path, key }, this.#context);
      bytes = stored.sizeBytes;
      return stored;
    } catch (failure) {
      this.#fail(output, failure);
      return undefined;
    } finally {
      this.#context.observer.ended("upload", writtenAt, bytes);
    }
  }

  async #verify(uploaded: Map<string, StoredObject>): Promise<Map<string, string>> {
    if (uploaded.size === 0) return new Map();
    try {
      // Managed storage records what it finds right: an effect.
      return await underTrust(this.#context, ({ signal }) => this.#store.verify(uploaded, signal));
    } catch (failure) {
      if (failure instanceof Ended) throw failure;
      throwIfEnded(this.#context);
      const doing = `looking up ${uploaded.size} uploaded outputs`;
      this.#failures.push(transferError(judge(failure).fault, doing, failure));
      return new Map();
    }
  }

  #fail(output: Output, failure: unknown): void {
    if (failure instanceof Ended) throw failure;
    throwIfEnded(this.#context);
    this.#failures.push(failureOf(this.#store, output, failure));
  }
}

function failureOf(store: ObjectStore, { writtenAt, key }: Output, failure: unknown): TransferError {
  return transferError(judge(failure).fault, `upload of ${writtenAt} to ${store.describe(key)}`, failure);
}
