import { z } from "zod";
import { SocketQuery } from "./socket.ts";

/** Who an agent says that it is; a node's credential must agree. */
export const AgentQuery = SocketQuery.pick({ machine_id: true, container_group_id: true });
export type AgentQuery = z.infer<typeof AgentQuery>;

/** What an agent's credential is good for, as the API sees it. */
export const AgentIdentity = z.object({
  user_id: z.string().describe("Whose queue it works for"),
  org_name: z
    .string()
    .nullable()
    .describe("Organization of SaladCloud that the credential speaks for; null: the admin's"),
  project_name: z
    .string()
    .nullable()
    .describe("Project of SaladCloud that the credential speaks for; null: the admin's"),
  role: z.enum(["admin", "user", "node"]).describe("A node's credential can do no more than an agent needs"),
  managed_storage: z.boolean().describe("Whether rules without bucket work at this API"),
});
export type AgentIdentity = z.infer<typeof AgentIdentity>;
