import { z } from "zod";

/**
 * The term of a lease as the API tells it. Our API grants 20 to 300 s; what lies far outside would make the agent spin.
 *
 * From 4 s: trust ends 2 s before its term (lease/trust.ts), and the next renewal comes after a quarter of it, so a shorter lease is never trusted,
 * and each lapse asks for a renewal at once. Up to a day: a quarter of much more than that is over what a timer takes, which then fires at once.
 */
export const LeaseSeconds = z.number().min(4).max(86_400);
