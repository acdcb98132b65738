/** Stands in front of the API and keeps reports of completion to itself, until it is told to pass them on. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A report, as it was made. */
export interface HeldReport {
  path: string;
  body: string;
  /** Late, as the first of all or once more. */
  passOn(): void;
}

export interface ReportHold {
  url: string;
  /** The first report that is held. */
  held: Promise<HeldReport>;
  close(): void;
}

export async function holdReports(apiPort: number): Promise<ReportHold> {
  const held = Promise.withResolvers<HeldReport>();
  let passes = false;

  function forward({ method, url: path, rawHeaders }: IncomingMessage, answer: ServerResponse) {
    const far = request(
      { host: "127.0.0.1", port: apiPort, method, path, headers: rawHeaders },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.rawHeaders);
        response.pipe(answer);
      },
    );
    far.on("error", () => answer.destroy());
    return far;
  }
  const server = createServer(async (near, answer) => {
    if (passes || !near.url?.endsWith("/completed")) {
      near.pipe(forward(near, answer));
      return;
    }
    const body = await buffer(near);
    held.resolve({
      path: near.url,
      body: body.toString(),
      passOn() {
        passes = true;
        forward(near, answer).end(body);
      },
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    held: held.promise,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
