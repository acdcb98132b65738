/** The text of an answer, or undefined as soon as it is known to be longer. What comes after that is not read. */
export async function readTextAtMost(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    if (bytes > limitBytes) return undefined;
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** What `fetch` has got, as it arrives; leaving it early ends the connection. */
export function bodyOf({ body }: Response): AsyncIterable<Uint8Array> {
  return body ?? ReadableStream.from<Uint8Array>([]);
}
