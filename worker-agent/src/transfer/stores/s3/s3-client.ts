/** One signed request to S3-compatible storage: addressing and SigV4. What carries it: http-client.ts. */
import { AwsV4Signer } from "aws4fetch";
import type { HttpAnswer, HttpClient, HttpRequest } from "../../http-client.ts";
import { awsEndpoint, escapeQuery, objectUrl } from "./address.ts";

export interface S3Settings {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  region: string;
  /** Undefined: AWS itself. Otherwise path-style addressing below this URL. */
  endpointUrl?: string;
}

export interface S3Request extends Omit<HttpRequest, "url"> {
  bucket: string;
  key?: string;
  query?: Record<string, string>;
  signal: AbortSignal;
}

export class S3Client {
  readonly #http: HttpClient;
  readonly #settings: S3Settings;
  readonly #endpoint: string;
  /** Signing keys by day; aws4fetch keeps them here. */
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor(http: HttpClient, settings: S3Settings) {
    this.#http = http;
    this.#settings = settings;
    this.#endpoint = settings.endpointUrl ?? awsEndpoint(settings.region);
  }

  /** One try; see `HttpClient.exchange`. */
  exchange<T>({ signal, ...request }: S3Request, read: (answer: HttpAnswer) => Promise<T>): Promise<T> {
    return this.#http.exchange(() => this.#sign(request), signal, read);
  }

  async #sign({ bucket, key, query = {}, ...request }: Omit<S3Request, "signal">): Promise<HttpRequest> {
    const search = escapeQuery(query);
    const url = `${objectUrl(this.#endpoint, bucket, key)}${search === "" ? "" : `?${search}`}`;
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.#settings;
    const signer = new AwsV4Signer({
      method: request.method,
      url,
      headers: request.headers,
      accessKeyId,
      secretAccessKey,
      sessionToken: sessionToken === "" ? undefined : sessionToken,
      service: "s3",
      region,
      cache: this.#signingKeys,
    });
    const { headers } = await signer.sign();
    return {
      ...request,
      url,
      headers: Object.fromEntries(new Headers(headers).entries()),
    };
  }
}
