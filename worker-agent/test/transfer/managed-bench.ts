/** The table for managed storage: a node without any credential of a storage. */
import { onTestFinished } from "vitest";
import { createApiClient } from "../../src/api/client.ts";
import type { TransferSettings } from "../../src/transfer/ports.ts";
import { createTransfers } from "../../src/transfer/transfers.ts";
import { quick, setUpContext } from "./bench.ts";
import { ManagedServer } from "./managed-server.ts";

export const identity = { machine_id: "machine", container_group_id: "group" };

export async function setUpManaged(settings: Partial<TransferSettings> = {}) {
  const server = await ManagedServer.start();
  onTestFinished(() => server.close());
  const api = createApiClient(server.url, { "X-Kelpie-Key": "key" });
  const transfers = createTransfers(
    { ...quick, accessKeyId: "", secretAccessKey: "", ...settings },
    { api, identity },
  );
  return { ...(await setUpContext(server.lease)), server, api, transfers };
}
