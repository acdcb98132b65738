/**
 * Decisions about leases, pure: no clock, no storage. The protocol is in docs/leases.md.
 */

/** A fresh grant to an agent with a claim id holds so long, until its first renewal. */
export const provisionalMs = 10_000;
/** Old workers renew once an interval: twice that, as Kelpie promises, and this for the way there. */
export const oldWorkerSlackMs = 5_000;
/** A machine that failed a job does not get it again for a day. */
export const banMs = 24 * 3_600_000;
/** How often D1 learns the heartbeat of a held lease. */
export const flushEveryMs = 60_000;
/** An alarm later than this says more about us than about the nodes. */
export const lateAlarmMs = 5_000;
/** Fewer leases lapsing at once are no sign of a fault on our side. */
const massExpiryLeases = 3;

const minTermSeconds = 20;
const maxTermSeconds = 300;

/** Term of an agent's lease: 2 × interval, 20 to 300 s. The agent renews every quarter of it. */
export function leaseTermSeconds(heartbeatIntervalSeconds: number): number {
  return Math.min(Math.max(2 * heartbeatIntervalSeconds, minTermSeconds), maxTermSeconds);
}

/** Term of an old worker's lease, in milliseconds. */
export function oldWorkerTermMs(heartbeatIntervalSeconds: number): number {
  return 2 * heartbeatIntervalSeconds * 1000 + oldWorkerSlackMs;
}

/**
 * How much longer than promised a renewal is stored, so that the next one need not be written: a quarter of the term, within
 * which our agent renews. Old workers' renewals are counted one by one, so all of theirs are written.
 */
export function storedAheadMs(lease: { token: string | null; termMs: number }): number {
  return lease.token === null ? 0 : lease.termMs / 4;
}

/**
 * Until when a lease was promised at least, as far as its row tells: one that was stored ahead and then forgotten by the
 * object's memory may have been renewed since, up to what is stored.
 */
export function promisedUntilMs(lease: {
  expiresMs: number;
  renewedMs: number | null;
  termMs: number;
  extended: boolean;
}): number {
  if (lease.extended || lease.renewedMs === null) return lease.expiresMs;
  return Math.min(lease.expiresMs, lease.renewedMs + lease.termMs);
}

/** What a lease row knows of its holder. A null token: an old worker, or a lease adopted from D1. */
export interface HeldBy {
  attempt: number;
  machineId: string | null;
  token: string | null;
}

/** What a caller shows. */
export interface Shown {
  machineId: string;
  attempt?: number;
  leaseToken?: string;
}

/**
 * Whether the caller holds the lease. With a token on the row, only that token of that attempt. Without: the machine
 * id, and the attempt if the caller names one; eight old workers of one machine look alike, as they do in Kelpie.
 */
export function holds(lease: HeldBy, shown: Shown): boolean {
  if (lease.token !== null) {
    return (
      shown.leaseToken !== undefined &&
      shown.attempt === lease.attempt &&
      equalInConstantTime(shown.leaseToken, lease.token)
    );
  }
  return shown.machineId === lease.machineId && (shown.attempt ?? lease.attempt) === lease.attempt;
}

/** Compares secrets without telling by its time where they differ. */
function equalInConstantTime(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % (b.length || 1));
  return difference === 0;
}

/**
 * Lease time held, in heartbeat intervals. An old worker's beats are counted as they come: that is what Kelpie's
 * users know the field as. Our agent renews more often than once an interval, so its time is measured.
 */
export function heldIntervals(lease: {
  token: string | null;
  beats: number;
  grantedMs: number;
  renewedMs: number | null;
  intervalMs: number;
}): number {
  if (lease.renewedMs === null) return 0;
  if (lease.token === null) return lease.beats;
  return Math.round((lease.renewedMs - lease.grantedMs) / lease.intervalMs);
}

/**
 * Whether leases lapsing now are to be doubted: the alarm itself came late (we were away, so nobody could renew), or
 * at least three and more than half of all lapse together.
 */
export function massExpiry(lapsed: number, held: number, alarmLateMs: number): boolean {
  return alarmLateMs > lateAlarmMs || (lapsed >= massExpiryLeases && lapsed * 2 > held);
}
