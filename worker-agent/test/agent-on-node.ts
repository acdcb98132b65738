/** An agent on a node of SaladCloud: its metadata service is there. */
import { randomUUID } from "node:crypto";
import { startAgent } from "./agent-under-test.ts";
import { ImdsServer } from "./imds-server.ts";

export async function startOnNode(options: Parameters<typeof startAgent>[0] = {}) {
  const imds = await ImdsServer.start();
  const agent = await startAgent({
    ...options,
    environment: { KELPIE_IMDS_URL: imds.url, SALAD_INSTANCE_ID: randomUUID(), ...options.environment },
  });
  await agent.logged("metadata service found");
  return Object.assign(Object.create(agent) as typeof agent, { imds });
}

/** Claims made so far. */
export const claimsOf = ({ server }: Pick<Awaited<ReturnType<typeof startAgent>>, "server">) =>
  server.calls.filter(({ route }) => route === "claim").length;
