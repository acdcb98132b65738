/** From what an agent asks for to what may be done: every key is built here from the lease, never from the request. */
import type { GrantRequest, StorageArea } from "../../contract/index.ts";
import type { UnderLease } from "../../middleware/under-lease.ts";
import type { Access } from "../../storage/granter.ts";
import { type BucketKey, chunkKey, fileKey, manifestKey, outputKey } from "../../storage/keys.ts";
import { uploadNameOf } from "./upload-steps.ts";

/** Where an object of the area belongs, for this attempt. */
export function areaKey(lease: UnderLease, area: StorageArea, key: string): BucketKey {
  return area === "files" ? fileKey(lease.userId, key) : outputKey(lease, key);
}

/** `located`: where the object is that people see under the key of a `get`. */
export function accessOf(
  request: GrantRequest,
  lease: UnderLease,
  field: string,
  located: ReadonlyMap<string, BucketKey>,
): Access {
  switch (request.kind) {
    case "get":
      return { method: "GET", key: located.get(request.key) ?? fileKey(lease.userId, request.key) };
    case "put":
      return {
        method: "PUT",
        key: areaKey(lease, request.area, request.key),
        size: request.size,
        md5: request.md5,
        contentType: request.content_type,
        contentEncoding: request.content_encoding,
      };
    case "part":
      return {
        method: "PUT",
        key: areaKey(lease, request.area, request.key),
        size: request.size,
        md5: request.md5,
        part: {
          uploadId: uploadNameOf(request.upload_id, `${field}.upload_id`).storageId,
          number: request.part_number,
        },
      };
    case "put_chunk":
    case "put_manifest": {
      const keyOf = request.kind === "put_chunk" ? chunkKey : manifestKey;
      return {
        method: "PUT",
        key: keyOf(lease, request.generation, request.sha256),
        size: request.size,
        md5: request.md5,
        onlyIfAbsent: true,
      };
    }
    case "get_chunk":
    case "get_manifest": {
      // Of any attempt of this job: a generation builds on those before it.
      const keyOf = request.kind === "get_chunk" ? chunkKey : manifestKey;
      const place = { ...lease, attempt: request.attempt };
      return { method: "GET", key: keyOf(place, request.generation, request.sha256) };
    }
  }
}
