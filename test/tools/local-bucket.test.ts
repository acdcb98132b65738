import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { localBucket } from "../../tools/local-api.ts";
import { projectRoot } from "../../tools/project.ts";

it("the keys of the local S3 endpoint are those of wrangler.toml", () => {
  const config = readFileSync(join(projectRoot, "wrangler.toml"), "utf8");
  const settingOf = (name: string) => new RegExp(`^${name} = "([^"]*)"`, "m").exec(config)?.[1];
  expect(localBucket).toMatchObject({
    bucket: settingOf("bucket_name"),
    accessKeyId: settingOf("accessKeyId"),
    secretAccessKey: settingOf("secretAccessKey"),
  });
});
