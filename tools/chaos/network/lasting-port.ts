/** A port that stays ours while nobody listens on it: systems give outgoing connections ports from 32,768 up. */
import { once } from "node:events";
import { createServer } from "node:net";

const least = 20_000;
const most = 32_000;
const tries = 100;

export async function findLastingPort(): Promise<number> {
  for (let tried = 0; tried < tries; tried += 1) {
    const port = least + Math.floor(Math.random() * (most - least));
    const server = createServer();
    server.listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      continue; // Somebody else's.
    }
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error(`No port between ${least} and ${most} is free`);
}
