/** The two ways in which the API makes URLs for managed storage. */
import { once } from "node:events";
import { createServer } from "node:net";
import { localBucket } from "../../tools/local-api.ts";

export interface UrlKind {
  name: string;
  /** Variables of an API that will listen on this port. */
  varsFor(port: number): Record<string, string>;
  /** The query parameter by which such a URL is known. */
  signatureName: string;
}

export const urlKinds: UrlKind[] = [
  {
    name: "presigned",
    varsFor: (port) => ({
      R2_S3_ENDPOINT: `http://127.0.0.1:${port}/cdn-cgi/local/r2/s3`,
      R2_BUCKET_NAME: localBucket.bucket,
      R2_ACCESS_KEY_ID: localBucket.accessKeyId,
      R2_SECRET_ACCESS_KEY: localBucket.secretAccessKey,
      // With S3 keys there is no need for one.
      KELPIE_SIGNING_KEY: "",
    }),
    signatureName: "X-Amz-Signature",
  },
  { name: "the API's own", varsFor: () => ({}), signatureName: "signature" },
];

/** The API has to know its own address to presign URLs of its local bucket. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
