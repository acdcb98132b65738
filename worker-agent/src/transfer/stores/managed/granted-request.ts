/** One request by a grant: its method, its URL and its headers as they were given. One try (retry.ts decides on others). */
import { GrantRefused, StorageError } from "../../failures.ts";
import type { HttpAnswer, HttpClient, StreamedBody } from "../../http-client.ts";
import type { HeldGrant } from "./grant-desk.ts";

export interface GrantedContent {
  body?: StreamedBody | Uint8Array | string;
  /** Only for reading: `range` and `if-match` are no part of what a grant for reading fixes. */
  readHeaders?: Record<string, string>;
}

/**
 * `grant` is called when a connection is free.
 *
 * @throws GrantRefused when the storage takes the URL no more: ask for another one. StorageError for any other refusal, Stalled,
 * or the error of the socket.
 */
export async function sendGranted<T>(
  http: HttpClient,
  grant: () => Promise<HeldGrant>,
  { body, readHeaders }: GrantedContent,
  signal: AbortSignal,
  read: (answer: HttpAnswer) => Promise<T>,
): Promise<T> {
  const prepare = async () => {
    const { method, url, headers } = await grant();
    return { method, url, headers: { ...headers, ...readHeaders }, body };
  };
  try {
    return await http.exchange(prepare, signal, read);
  } catch (failure) {
    // 401: what an API says of a URL with a signature that it does not know.
    if (failure instanceof StorageError && (failure.status === 403 || failure.status === 401))
      throw new GrantRefused(failure);
    throw failure;
  }
}
