/** The wire: zod schemas and their types, shared by the API and the agent. Runs anywhere. */
export * from "./errors.ts";
export * from "./files.ts";
export * from "./job.ts";
export * from "./lease.ts";
export * from "./limits.ts";
export * from "./managed-key.ts";
export * from "./manifest.ts";
export * from "./scaling.ts";
export * from "./snapshot.ts";
export * from "./socket.ts";
export * from "./storage.ts";
export * from "./sync.ts";
export { utf8Bytes } from "./text.ts";
export * from "./user.ts";
export * from "./webhook.ts";
