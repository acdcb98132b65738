import type { Principal } from "../app-env.ts";

/** What a credential proved: whom it speaks for and the name it is counted by; or in words why it is wrong. */
export type Verdict = { principal: Principal; credential: string } | { wrong: string };

/** Entries of each cache of credentials: some 500 bytes each, of an isolate's 128 MB. */
export const maxKnown = 10_000;
/** Long enough to stop a client that retries a wrong credential, short enough not to annoy one who just made it. */
export const wrongMs = 3_000;
