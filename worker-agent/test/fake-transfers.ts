/** Transfers for tests where S3 is beside the point: a bucket is a map from key to text. Asks the gate as the real ones do. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { DownloadRule, UploadRule } from "../../src/contract/index.ts";
import type { Mirror, TransferContext, Transfers } from "../src/transfer/ports.ts";

export class FakeTransfers implements Transfers {
  /** `bucket/key` → content. */
  readonly objects = new Map<string, string>();
  /** Called before an effect of the kind; may wait or throw. */
  beforeDownload: (rules: DownloadRule[], context: TransferContext) => Promise<void> = async () => {};
  beforeMirrorFinish: (rule: UploadRule, context: TransferContext) => Promise<void> = async () => {};
  beforeUpload: (rule: UploadRule, context: TransferContext) => Promise<void> = async () => {};
  abandoned = 0;
  /** Of all mirrors. */
  readonly broken = new AbortController();

  /** From now on outputs wait before they go up, until `goOn`. `begun` resolves once so many do. */
  holdUploads(count = 1): { begun: Promise<void>; goOn: () => void } {
    const begun = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    let held = 0;
    this.beforeUpload = () => {
      held += 1;
      if (held === count) begun.resolve();
      return release.promise;
    };
    return { begun: begun.promise, goOn: release.resolve };
  }

  async download(rules: DownloadRule[], context: TransferContext) {
    await this.beforeDownload(rules, context);
    context.signal.throwIfAborted();
    for (const rule of rules) {
      const from = `${rule.bucket}/${rule.prefix}`;
      for (const [key, content] of [...this.objects].filter(([key]) => key.startsWith(from))) {
        const path = join(resolve(context.workdir, rule.local_path), key.slice(from.length));
        context.observer.began("download", path);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, content);
        context.observer.ended("download", path, content.length);
      }
    }
    return new Map();
  }

  async mirror(rule: UploadRule, _known: unknown, context: TransferContext): Promise<Mirror> {
    return {
      broken: this.broken.signal,
      finish: async () => {
        await this.beforeMirrorFinish(rule, context);
        await this.#store(rule, resolve(context.workdir, rule.local_path), context);
      },
      abandon: async () => {
        this.abandoned++;
      },
    };
  }

  async upload(rule: UploadRule, from: string, context: TransferContext): Promise<void> {
    await this.beforeUpload(rule, context);
    await this.#store(rule, from, context);
  }

  async #store(rule: UploadRule, from: string, context: TransferContext): Promise<void> {
    const entries = await readdir(from, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((entry) => entry.isFile())) {
      const path = join(entry.parentPath, entry.name);
      await context.gate.ready();
      context.signal.throwIfAborted();
      context.observer.began("upload", path);
      const content = await readFile(path, "utf8");
      this.objects.set(`${rule.bucket}/${rule.prefix}${relative(from, path)}`, content);
      context.observer.ended("upload", path, content.length);
    }
  }
}
