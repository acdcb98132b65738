/** What is told of an object beside its bytes, as each side of the storage wants to hear it. */
export interface Content {
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
}

/** For R2's binding. */
export function httpMetadataOf({ contentType, contentEncoding }: Content): R2HTTPMetadata {
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(contentEncoding === undefined ? {} : { contentEncoding }),
  };
}

/** For requests to it. */
export function contentHeadersOf({ contentType, contentEncoding }: Content): Record<string, string> {
  return {
    ...(contentType === undefined ? {} : { "Content-Type": contentType }),
    ...(contentEncoding === undefined ? {} : { "Content-Encoding": contentEncoding }),
  };
}
