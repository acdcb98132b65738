/** What became of a call of Salad's API, as a value: callers decide what to retry, what to refuse, what to wait for. */
export type SaladAnswer<T> = { ok: true; value: T } | SaladRefusal;

/**
 * - `refused`: this key cannot reach that, or there is no such thing (401, 403, 404; names that cannot exist).
 * - `rejected`: any other 4xx. `detail` carries what Salad says of it.
 * - `unavailable`: says nothing about the key or the thing asked for: 429, 5xx, a redirect, HTML, a timeout, no connection, an
 *   answer that is not what Salad documents.
 */
export interface SaladRefusal {
  ok: false;
  reason: "refused" | "rejected" | "unavailable";
  /** Absent where there was no answer. */
  status?: number;
  /** In words, for logs and people. Never the key, never a page of HTML. */
  detail?: string;
}

export function unavailable(detail: string, status?: number): SaladRefusal {
  return { ok: false, reason: "unavailable", detail, ...(status === undefined ? {} : { status }) };
}

/**
 * The reason of an answer that was no success. Salad documents that its errors may be HTML; so are those of what stands in front of it
 * (a firewall's 403, a gateway's 404), which must not count as Salad's word about a key or a group. Only a 401 has no such double.
 */
export function reasonOf(status: number, isHtml: boolean): SaladRefusal["reason"] {
  if (status === 401) return "refused";
  if (isHtml) return "unavailable";
  if (status === 403 || status === 404) return "refused";
  // A request that came too slowly was not judged either.
  if (status === 408 || status === 425 || status === 429) return "unavailable";
  return status >= 400 && status < 500 ? "rejected" : "unavailable";
}
