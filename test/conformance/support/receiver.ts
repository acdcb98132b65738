/** Takes webhooks: a server of ours, for as long as a check runs. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { until } from "./queue.ts";

export interface Delivery {
  headers: IncomingHttpHeaders;
  raw: string;
  body: { status: string; job_id: string; machine_id: string | null; container_group_id: string };
}

export interface Receiver extends AsyncDisposable {
  url: string;
  deliveries: Delivery[];
  /** Until something of that status has come. */
  received(status: string): Promise<Delivery>;
}

/** `statusOf`: what the n-th delivery is answered, from 0. */
export async function openReceiver(statusOf: (n: number) => number = () => 200): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const server = createServer(async (request, response) => {
    const raw = await text(request);
    response.statusCode = statusOf(deliveries.length);
    deliveries.push({ headers: request.headers, raw, body: JSON.parse(raw) });
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    deliveries,
    received: (status) =>
      until(`the webhook "${status}"`, async () => deliveries.find(({ body }) => body.status === status)),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
