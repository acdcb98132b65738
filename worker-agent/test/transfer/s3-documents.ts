/** The XML that S3 speaks, as far as the tests' storage needs it. */

export interface Listing {
  objects: Array<{ key: string; sizeBytes: number }>;
  next: string | undefined;
}

/** As with `encoding-type=url`: S3 escapes as forms do. */
export function listDocument({ objects, next }: Listing): string {
  const contents = objects.map(
    ({ key, sizeBytes }) =>
      `<Contents><Key>${encodeURIComponent(key).replaceAll("%20", "+")}</Key><Size>${sizeBytes}</Size>` +
      `<ETag>&quot;x&quot;</ETag></Contents>`,
  );
  const more = next === undefined ? "" : `<NextContinuationToken>${escapeXml(next)}</NextContinuationToken>`;
  return (
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><EncodingType>url</EncodingType>` +
    `<IsTruncated>${next !== undefined}</IsTruncated>${more}${contents.join("")}</ListBucketResult>`
  );
}

export function errorDocument(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>as the test wished</Message></Error>`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
