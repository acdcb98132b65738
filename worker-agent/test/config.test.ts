import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type ConfigError, readConfig } from "../src/config.ts";
import { version } from "../src/version.ts";

const least = {
  KELPIE_API_URL: "https://kelpie.example/",
  KELPIE_API_KEY: "a-secret-key",
  SALAD_MACHINE_ID: "machine",
  SALAD_CONTAINER_GROUP_ID: "group",
};

function problemsOf(environment: NodeJS.ProcessEnv): string {
  try {
    readConfig(environment, "/app");
  } catch (error) {
    return (error as ConfigError).message;
  }
  return "";
}

test("the least environment is enough; defaults are Kelpie's", () => {
  expect(readConfig(least, "/app")).toMatchObject({
    apiUrl: "https://kelpie.example",
    credentials: { "X-Kelpie-Key": "a-secret-key" },
    directories: { input: "/input", output: "/output", checkpoint: "/checkpoint" },
    stateFile: "/app/kelpie-state.json",
    logLevel: "info",
    maxRetries: 3,
    maxJobFailures: 3,
    maxIdleMs: 0,
    pollMs: 2000,
    socket: true,
    recreateBetweenJobs: false,
    shutdownUploadMs: 25_000,
    transfer: { stabilityMs: 50, maxWaitMs: 5000, debounceMs: 0, region: "us-east-1" },
  });
});

test("every bad variable is named at once, and no value is echoed", () => {
  const problems = problemsOf({
    KELPIE_API_URL: "ftp://user:hunter2@kelpie",
    MAX_RETRIES: "three-hunter2",
    KELPIE_RECREATE_BETWEEN_JOBS: "hunter2",
    KELPIE_SOCKET: "hunter2",
    KELPIE_POLL_SECONDS: "0",
    KELPIE_SHUTDOWN_UPLOAD_SECONDS: "3601",
    AWS_ENDPOINT_URL: "http://user:hunter2@localhost",
    SALAD_CONTAINER_GROUP_ID: "",
  });
  for (const name of [
    "KELPIE_API_URL",
    "MAX_RETRIES",
    "KELPIE_RECREATE_BETWEEN_JOBS",
    "KELPIE_SOCKET",
    "KELPIE_POLL_SECONDS",
    "KELPIE_SHUTDOWN_UPLOAD_SECONDS",
    "AWS_ENDPOINT_URL",
    "SALAD_MACHINE_ID",
    "SALAD_CONTAINER_GROUP_ID",
    "KELPIE_API_KEY or SALAD_API_KEY",
  ]) {
    expect(problems).toContain(`- ${name} `);
  }
  expect(problems).not.toContain("hunter2");
});

test.each([
  ["KELPIE_LOG_SECONDS", "99999999", "must be a number of seconds from 0 to 99999"],
  ["KELPIE_LOG_SECONDS", "often", "must be a number of seconds from 0 to 99999"],
  ["KELPIE_POLL_SECONDS", "0.05", "must be a number of seconds from 0.1 to 99999"],
  ["KELPIE_SLOTS", "abc", "must be a whole number from 1 to 32"],
  ["KELPIE_SLOTS", "0", "must be a whole number from 1 to 32"],
  ["KELPIE_SLOTS", "33", "must be a whole number from 1 to 32"],
  ["KELPIE_SHUTDOWN_UPLOAD_SECONDS", "3601", "must be a whole number from 0 to 3600"],
  ["MAX_RETRIES", "-1", "must be a whole number from 0 to 999999999"],
  ["MAX_RETRIES", "99999999999", "must be a whole number from 0 to 999999999"],
])("%s=%s: the bounds are told, once", (name, value, says) => {
  expect(problemsOf({ ...least, [name]: value })).toMatch(new RegExp(`:\n  - ${name} ${says}$`));
});

test.each(["ws://kelpie.example", "kelpie.example", "kelpie.example:443", "https:/", "file:///kelpie"])(
  "KELPIE_API_URL=%s: what a URL has to be like is told",
  (url) => {
    expect(problemsOf({ ...least, KELPIE_API_URL: url })).toContain(
      "- KELPIE_API_URL must be a whole URL: https:// (http:// is taken too) and a host, as https://kelpie.example",
    );
  },
);

test("a Kelpie key wins over a Salad key, which needs organization and project", () => {
  const salad = { ...least, KELPIE_API_KEY: "", SALAD_API_KEY: "salad-key" };
  expect(problemsOf(salad)).toContain("SALAD_ORGANIZATION_NAME");
  expect(problemsOf(salad)).toContain("SALAD_PROJECT_NAME");
  const names = {
    SALAD_ORGANIZATION: "older-org",
    SALAD_ORGANIZATION_NAME: "org",
    SALAD_PROJECT: "older-project",
  };
  expect(readConfig({ ...salad, ...names }, "/app").credentials).toEqual({
    "Salad-Api-Key": "salad-key",
    "Salad-Organization": "org",
    "Salad-Project": "older-project",
  });
  expect(readConfig({ ...least, SALAD_API_KEY: "salad-key" }, "/app").credentials).toEqual({
    "X-Kelpie-Key": "a-secret-key",
  });
});

test("a node of SaladCloud needs no key: then the token of its metadata service is the proof", () => {
  const node = { ...least, KELPIE_API_KEY: "", SALAD_INSTANCE_ID: "instance", SALAD_PROJECT_NAME: "vision" };
  expect(readConfig(node, "/app")).toMatchObject({
    credentials: { "Salad-Project": "vision" },
    credentialsFromNode: "token",
    imds: { url: "http://169.254.169.254", expected: true },
  });
  expect(problemsOf({ ...node, SALAD_PROJECT_NAME: "" })).toContain("SALAD_PROJECT_NAME is required");
  expect(readConfig({ ...node, SALAD_API_KEY: "salad-key" }, "/app")).toMatchObject({
    credentials: { "Salad-Api-Key": "salad-key", "Salad-Project": "vision" },
    credentialsFromNode: "organization",
  });
  const simulated = { ...least, KELPIE_IMDS_URL: "http://127.0.0.1:8790/imds/one/" };
  expect(readConfig(simulated, "/app")).toMatchObject({
    credentialsFromNode: "none",
    imds: { url: "http://127.0.0.1:8790/imds/one", expected: true },
  });
  expect(readConfig(least, "/app").imds.expected).toBe(false);
  expect(problemsOf({ ...least, KELPIE_IMDS_URL: "hunter2" })).toMatch(
    /^((?!hunter2).|\n)*- KELPIE_IMDS_URL must/,
  );
});

test("booleans as people write them, and S3's own endpoint before the general one", () => {
  const config = readConfig(
    {
      ...least,
      KELPIE_RECREATE_BETWEEN_JOBS: "TRUE",
      AWS_ENDPOINT_URL: "http://general",
      AWS_ENDPOINT_URL_S3: "http://s3",
      AWS_REGION: "auto",
      AWS_DEFAULT_REGION: "eu-west-1",
    },
    "/app",
  );
  expect(config.recreateBetweenJobs).toBe(true);
  expect(config.transfer).toMatchObject({ endpointUrl: "http://s3", region: "auto" });
});

test.each([
  [{ AWS_ACCESS_KEY_ID: "hunter2" }, "AWS_SECRET_ACCESS_KEY is missing beside AWS_ACCESS_KEY_ID"],
  [
    { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "hunter2" },
    "AWS_ACCESS_KEY_ID is missing beside AWS_SECRET",
  ],
])("half a pair of storage keys is doubted, not refused: %j", (keys, says) => {
  expect(readConfig({ ...least, ...keys }, "/app").doubts).toEqual([expect.stringContaining(says)]);
  expect(readConfig({ ...least, ...keys }, "/app").doubts.join()).not.toContain("hunter2");
});

test("both storage keys, or neither, leave no doubt", () => {
  expect(readConfig(least, "/app").doubts).toEqual([]);
  const pair = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
  expect(readConfig({ ...least, ...pair }, "/app").doubts).toEqual([]);
});

test("the agent's version is the package's", () => {
  const file = new URL("../../package.json", import.meta.url);
  expect(version).toBe(JSON.parse(readFileSync(file, "utf8")).version);
});
