/** The user's S3-compatible storage: whole objects, one at a time. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { AwsClient } from "aws4fetch";
import { XMLParser } from "fast-xml-parser";
import type { Rule } from "./api.ts";
import type { Config } from "./config.ts";

export class Bucket {
  readonly #aws: AwsClient;
  readonly #endpoint: string;

  constructor({ endpoint, ...keys }: Config["s3"]) {
    this.#aws = new AwsClient({ ...keys, service: "s3", retries: 0 });
    this.#endpoint = endpoint;
  }

  async downloadAll({ bucket, prefix, local_path, pattern }: Rule, expand: boolean): Promise<void> {
    const query = new URLSearchParams({ "list-type": "2", prefix });
    const listed = await this.#fetch(`${bucket}?${query}`, {});
    const parsed = new XMLParser({ isArray: (name) => name === "Contents", parseTagValue: false }).parse(
      await listed.text(),
    );
    const objects: { Key: string }[] = parsed.ListBucketResult?.Contents ?? [];
    for (const { Key: key } of objects) {
      if (pattern !== undefined && !new RegExp(pattern).test(key)) continue;
      const answer = await this.#fetch(`${bucket}/${encode(key)}`, {});
      let bytes: Buffer = Buffer.from(await answer.arrayBuffer());
      const zipped = expand && key.endsWith(".gz");
      // `fetch` has expanded what came with a Content-Encoding.
      if (zipped && bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes);
      const path = join(local_path, key.slice(prefix.length).replace(zipped ? /\.gz$/ : /$^/, ""));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
  }

  async upload(rule: Rule, name: string, path: string, compress: boolean): Promise<void> {
    const bytes = readFileSync(path);
    await this.#fetch(`${rule.bucket}/${encode(rule.prefix + name)}${compress ? ".gz" : ""}`, {
      method: "PUT",
      headers: compress ? { "Content-Encoding": "gzip" } : {},
      body: compress ? gzipSync(bytes) : bytes,
    });
  }

  async remove(rule: Rule, name: string, compress: boolean): Promise<void> {
    const key = `${rule.bucket}/${encode(rule.prefix + name)}${compress ? ".gz" : ""}`;
    await this.#fetch(key, { method: "DELETE" });
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const answer = await this.#aws.fetch(`${this.#endpoint}/${path}`, init);
    if (!answer.ok)
      throw new Error(`${init.method ?? "GET"} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}

const encode = (key: string) => key.split("/").map(encodeURIComponent).join("/");
