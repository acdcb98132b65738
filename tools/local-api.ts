/**
 * The API on this machine: `wrangler dev` with embedded D1, Durable Objects and R2, no account, no network. Owns its
 * process group and its cron (which never fires by itself under `wrangler dev`). It can be killed and started again
 * on the same port and directory, as a crash or a deploy would.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exit, type ManagedProcess, startProcess } from "./processes/managed-process.ts";
import { makeTemporaryDirectory } from "./processes/temporary-directory.ts";
import { projectRoot, quietWranglerEnv, wranglerEntry } from "./project.ts";
import { createNoiseFilter, failureText } from "./wrangler-output.ts";

/** wrangler.toml, `experimental_s3_credentials`: the keys of the local S3 endpoint. Not a secret. */
export const localBucket = {
  bucket: "kelpie-checkpoints",
  region: "auto",
  accessKeyId: "local",
  secretAccessKey: "localsecret",
};

export const localAdminKey = "local-admin-key";
/** Signs the storage URLs of the API on this machine. Not a secret either. */
export const localSigningKey = "local-signing-key";

/** A cold start takes about 5 s on two idle cores; the rest is for busy ones. */
const readyTimeoutMs = 90_000;
const cronEveryMs = 60_000;
/** All of wrangler's usage, behind which the reason of a misspelt option would be lost. */
const failureLines = 120;

export interface LocalApiOptions {
  /** Directory of the state, made where missing. */
  persistTo: string;
  /** Default: a free one. */
  port?: number;
  /** Default 127.0.0.1. */
  ip?: string;
  /** Over the defaults of `KELPIE_ADMIN_KEY`, `KELPIE_SIGNING_KEY` and `KELPIE_PRIVATE_WEBHOOKS`. */
  vars?: Record<string, string>;
  /** More arguments for `wrangler dev`. */
  devArguments?: string[];
  /** Default true; false saves two seconds when the directory is known to be up to date (a restart). */
  migrate?: boolean;
  /** Gives the start up, and ends whatever has been started for it. Does nothing once the API is up. */
  signal?: AbortSignal;
  /** What wrangler and the API say, without the known noise (wrangler-output.ts). */
  onLine?: (line: string) => void;
}

export interface LocalApi {
  /** `http://127.0.0.1:PORT`, without a final slash. */
  readonly url: string;
  readonly port: number;
  /** S3 endpoint (path style) over the same R2 bucket; keys in `localBucket`. */
  readonly s3Endpoint: string;
  readonly adminKey: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  stop(): Promise<Exit>;
  /** SIGKILL to the whole process group, in the middle of whatever it does. */
  kill(): Promise<Exit>;
  tail(lines?: number): string;
}

export async function startLocalApi(options: LocalApiOptions): Promise<LocalApi> {
  if (options.migrate !== false) await applyMigrations(options);

  const vars = {
    KELPIE_ADMIN_KEY: localAdminKey,
    KELPIE_SIGNING_KEY: localSigningKey,
    // Benches and fuzzers mean it.
    KELPIE_RATE_LIMITS: "off",
    // Receivers of webhooks are on this machine too.
    KELPIE_PRIVATE_WEBHOOKS: "allow",
    ...options.vars,
  };
  const ready = Promise.withResolvers<string>();
  const server = runWrangler(
    [
      "dev",
      "--local",
      ...["--ip", options.ip ?? "127.0.0.1"],
      ...["--port", String(options.port ?? 0)],
      // Free ports for the debugger too: several run side by side in the tests.
      ...["--inspector-port", "0"],
      ...["--persist-to", options.persistTo],
      "--show-interactive-dev-session=false",
      ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
      ...(options.devArguments ?? []),
    ],
    options,
    (line) => {
      const address = /Ready on (https?:\/\/\S+)/.exec(line)?.[1];
      if (address) ready.resolve(address);
    },
  );
  const failure = (why: string) => new Error(failureText(`The API ${why}`, server.tail(failureLines)));

  try {
    const address = await Promise.race([
      ready.promise,
      server.exited.then(({ code }) => Promise.reject(failure(`ended with code ${code} while starting`))),
      sleep(readyTimeoutMs, undefined, { ref: false }).then(() =>
        Promise.reject(failure(`was not ready within ${readyTimeoutMs} ms`)),
      ),
    ]);
    const url = new URL(address);
    // A wildcard address is where it listens, not where it is reached.
    if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
    await waitUntilHealthy(url.origin, server, failure);
    const stopCron = fireCron(url.origin, options.onLine);
    server.exited.then(stopCron);
    return {
      url: url.origin,
      port: Number(url.port),
      s3Endpoint: `${url.origin}/cdn-cgi/local/r2/s3`,
      adminKey: vars.KELPIE_ADMIN_KEY,
      pid: server.pid,
      exited: server.exited,
      stop() {
        stopCron();
        return server.stop();
      },
      kill() {
        stopCron();
        return server.kill();
      },
      tail: server.tail,
    };
  } catch (error) {
    await server.kill();
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    server.startIsOver();
  }
}

/** Until `startIsOver`, the options' signal kills it. */
function runWrangler(
  wranglerArguments: string[],
  { persistTo, signal, onLine = () => undefined }: LocalApiOptions,
  watch: (line: string) => void = () => undefined,
): ManagedProcess & { startIsOver(): void } {
  signal?.throwIfAborted();
  // Miniflare removes its temporary files unless it is killed, as it is here time and again: they get a place that we remove.
  mkdirSync(persistTo, { recursive: true });
  const temporary = makeTemporaryDirectory(join(resolve(persistTo), "tmp-"));
  const tell = createNoiseFilter(onLine);
  const wrangler = startProcess(process.execPath, [wranglerEntry, ...wranglerArguments], {
    cwd: projectRoot,
    env: {
      ...process.env,
      ...quietWranglerEnv,
      // The registry is how instances of one name find each other; these must not.
      WRANGLER_REGISTRY_PATH: `${persistTo}/registry`,
      TMPDIR: temporary.path,
    },
    onLine(line) {
      watch(line);
      tell(line);
    },
  });
  wrangler.exited.then(() => {
    // Whoever killed wrangler alone has left its workerd behind.
    wrangler.kill();
    temporary.remove();
  });
  signal?.addEventListener("abort", wrangler.kill);
  return { ...wrangler, startIsOver: () => signal?.removeEventListener("abort", wrangler.kill) };
}

async function applyMigrations(options: LocalApiOptions): Promise<void> {
  const apply = ["d1", "migrations", "apply", "DB", "--local", "--persist-to", options.persistTo];
  const migration = runWrangler(apply, options);
  const { code } = await migration.exited;
  migration.startIsOver();
  options.signal?.throwIfAborted();
  if (code !== 0) {
    throw new Error(failureText(`The migrations failed with code ${code}`, migration.tail(failureLines)));
  }
}

async function waitUntilHealthy(
  url: string,
  server: ManagedProcess,
  failure: (why: string) => Error,
): Promise<void> {
  const deadlineMs = Date.now() + readyTimeoutMs;
  let last = "nothing answered";
  while (Date.now() < deadlineMs && server.isRunning()) {
    try {
      const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5000) });
      if (answer.ok) return;
      last = `${answer.status} ${await answer.text()}`;
    } catch (error) {
      last = String(error);
    }
    await sleep(200);
  }
  throw failure(`does not answer GET /health (${last})`);
}

/** Returns what stops it. */
function fireCron(url: string, onLine?: (line: string) => void): () => void {
  const stopped = new AbortController();
  const timer = setInterval(() => {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(cronEveryMs)]);
    fetch(`${url}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`, { signal }).then(
      (answer) => answer.ok || onLine?.(`cron: the scheduled handler answered ${answer.status}`),
      (error) => stopped.signal.aborted || onLine?.(`cron: ${error}`),
    );
  }, cronEveryMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    stopped.abort();
  };
}
