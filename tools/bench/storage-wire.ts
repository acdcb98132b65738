/** A wire that counts what is said on it: TCP, so headers and calls of the API are in it. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface CountingWire {
  readonly url: string;
  /** Bytes that have gone to the API so far. */
  sentBytes(): number;
  close(): void;
}

export async function openCountingWire(apiPort: number): Promise<CountingWire> {
  let sentBytes = 0;
  const ends = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: apiPort, host: "127.0.0.1", allowHalfOpen: true });
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(end);
      end.on("error", () => other.destroy());
      end.once("close", () => {
        ends.delete(end);
        other.destroySoon();
      });
    }
    near.on("data", ({ length }) => {
      sentBytes += length;
    });
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sentBytes: () => sentBytes,
    close() {
      server.close();
      for (const end of ends) end.destroy();
    },
  };
}
