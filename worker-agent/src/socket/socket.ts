/**
 * Keeps one socket to the API for as long as the agent lives, and does without one where there is none. What comes over it
 * are hints (docs/sockets.md): it hastens claims and renewals, whose answers alone count.
 */
import { randomUUID } from "node:crypto";
import type { ServerMessage } from "../../../src/contract/index.ts";
import type { Credentials } from "../api/credentials.ts";
import { isUnauthorized } from "../api/fault.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { backoffMs, pause, unlessAborted } from "../pause.ts";
import type { Timings } from "../timings.ts";
import { version } from "../version.ts";
import { type Opening, openConnection } from "./connection.ts";
import type { WorkSignals } from "./work-signals.ts";

export interface SocketSettings {
  config: Pick<Config, "apiUrl" | "identity" | "instanceId">;
  credentials: Credentials;
  clock: Clock;
  log: Log;
  timings: Timings;
  signals: WorkSignals;
  /** Somebody says that this attempt's lease has ended. */
  onEnded(jobId: string, attempt: number): void;
  /** The API wants this node exchanged. */
  onReallocate(reason: string): void;
}

/** What an API says that does not know the route, or not in this way. */
const notOffered = new Set([400, 404, 426]);

/** The loop; runs until the signal aborts. */
export async function keepSocket(settings: SocketSettings, signal: AbortSignal): Promise<void> {
  const { clock, credentials, log, timings, signals } = settings;
  const url = socketUrl(settings.config);
  const onMessage = (message: ServerMessage) => obey(message, settings);
  let failures = 0;
  let told = false;
  while (!signal.aborted) {
    const opening = await open();
    if (signal.aborted) return;
    let waitMs: number;
    if (opening.ok) {
      const since = clock.mark();
      log.info("socket open");
      told = false;
      signals.opened(opening.connection.send);
      const reason = await opening.connection.ended;
      signals.lost();
      if (signal.aborted) return;
      log.info("socket lost: polling until it is back", { reason });
      // A socket that does not last is as good as none: do not hammer.
      failures = since.awakeMs() < timings.socketStableMs ? failures + 1 : 0;
      // A deploy drops the sockets of a whole fleet at once: come back one by one, and claim so.
      waitMs = Math.random() * timings.socketReconnectSpreadMs;
      if (failures > 1)
        waitMs += backoffMs(failures - 1, timings.socketRetryFirstMs, timings.socketRetryCapMs);
    } else {
      failures++;
      const { status, reason } = opening;
      const offered = status === undefined || !notOffered.has(status);
      const say = told ? log.debug : log.info;
      say(offered ? "no socket: polling" : "the API offers no socket: polling", { status, reason });
      told = true;
      waitMs = offered
        ? backoffMs(failures, timings.socketRetryFirstMs, timings.socketRetryCapMs)
        : timings.socketNotOfferedMs;
    }
    await pause(waitMs, signal);
  }

  async function open(): Promise<Opening> {
    const told = await unlessAborted(credentials.headers(), signal);
    if (!told?.ok) return { ok: false, reason: told?.message ?? "the agent ends" };
    const headers = { ...told.headers, "User-Agent": `kelpie-agent/${version}` };
    const opening = await openConnection({ url, headers, timings, log, onMessage }, signal);
    // The next try has others, where there are any.
    if (!opening.ok && isUnauthorized(opening.status))
      await unlessAborted(credentials.refused(told.headers), signal);
    return opening;
  }
}

function obey(message: ServerMessage, { signals, onEnded, onReallocate, log }: SocketSettings): void {
  switch (message.type) {
    case "wake":
      signals.wake();
      break;
    case "ended":
      log.debug("told that a lease has ended", {
        job_id: message.job_id,
        attempt: message.attempt,
        reason: message.reason,
      });
      onEnded(message.job_id, message.attempt);
      break;
    case "reallocate":
      onReallocate(message.reason);
      break;
    case "drain":
      log.info("told to claim no more");
      signals.drain();
      break;
    case "resume":
      signals.resume();
      break;
  }
}

function socketUrl({ apiUrl, identity, instanceId }: SocketSettings["config"]): URL {
  const url = new URL(`${apiUrl}/agents/socket`);
  const query = { ...identity, instance_id: instanceId, agent_id: randomUUID() };
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}
