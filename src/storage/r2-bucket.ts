import { hexOf } from "../domain/hex.ts";
import type { BucketPort } from "./bucket-port.ts";

/** R2's binding as a port. */
export function r2Bucket(bucket: R2Bucket): BucketPort {
  return {
    open: async (key, maxBytes) => {
      const object = await bucket.get(key, { range: { offset: 0, length: maxBytes } });
      return object && { size: object.size, body: object.body };
    },
    size: async (key) => (await bucket.head(key))?.size ?? null,
    sha256: async (key) => {
      const object = await bucket.get(key);
      if (object === null) return null;
      const digest = new crypto.DigestStream("SHA-256");
      await object.body.pipeTo(digest);
      return hexOf(new Uint8Array(await digest.digest));
    },
    list: async (prefix, cursor) => {
      const page = await bucket.list({ prefix, ...(cursor === null ? {} : { cursor }) });
      return {
        objects: page.objects.map(({ key, size }) => ({ key, size })),
        cursor: page.truncated ? page.cursor : null,
      };
    },
    delete: (keys) => bucket.delete(keys),
  };
}
