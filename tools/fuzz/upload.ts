/** A file in parts is only put together from parts that are there: what a request to do so needs before it, which no schema says. */
import { call } from "./call.ts";
import type { Facts } from "./memory.ts";
import type { Sendable } from "./mutate.ts";

/** The request with an upload of its own: begun, its one part sent. Throws where the request names no lease that may. */
export async function finishUpload(
  url: string,
  headers: Record<string, string>,
  request: Sendable,
  asked: Facts,
): Promise<Sendable> {
  const path = request.path.replace(/\/complete$/, "");
  const post = async (to: string, body: Facts) => {
    const answer = await call(url, {
      method: "POST",
      path: to,
      query: [],
      headers,
      body: JSON.stringify(body),
    });
    if (answer.status !== 200) throw new Error(`${to} answered ${answer.status}`);
    return JSON.parse(answer.text) as Record<string, unknown>;
  };
  const { machine_id, container_group_id, attempt, lease_token, area, key } = asked;
  const place = {
    ...(lease_token === undefined ? {} : { machine_id, container_group_id, attempt, lease_token, area }),
    key,
  };
  const { upload_id } = await post(path, place);
  const part = { part_number: 1, size: 5 };
  const answered =
    lease_token === undefined
      ? await post(`${path}/part-urls`, { key, upload_id, parts: [part] })
      : await post(path.replace(/\/uploads$/, "/grants"), {
          ...place,
          requests: [{ kind: "part", area, key, upload_id, ...part }],
        });
  const [grant] = answered.grants as { method: string; url: string; headers: Record<string, string> }[];
  if (!grant) throw new Error("no URL was granted");
  const response = await fetch(grant.url, { method: grant.method, headers: grant.headers, body: "bytes" });
  const etag = response.headers.get("etag")?.replaceAll('"', "");
  const body = { ...place, upload_id, size: 5, parts: [{ part_number: 1, etag }] };
  return { ...request, body: JSON.stringify(body) };
}
