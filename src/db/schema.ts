/**
 * The queue in D1: what each job is, what became of it, which attempts it had. Times are milliseconds since the
 * epoch, taken from the clock of the group's object wherever an agent causes the write.
 *
 * An index earns its place by the query it serves, named beside it; test/api/query-plans.test.ts checks them all.
 */
export * from "./schema/attempts.ts";
export * from "./schema/groups.ts";
export * from "./schema/jobs.ts";
export * from "./schema/scaling.ts";
export * from "./schema/storage.ts";
export * from "./schema/users.ts";
export * from "./schema/webhooks.ts";
