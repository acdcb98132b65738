/** Milliseconds since the epoch to the wire's ISO 8601. */
export const iso = (ms: number): string => new Date(ms).toISOString();

/** The same for a time that may not have come. */
export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));
