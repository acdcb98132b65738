/** What a storage says when it says no: S3's XML, or the API's JSON where it serves the bytes itself. */
import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import { ErrorBody } from "../../../src/contract/index.ts";
import { StorageError } from "./failures.ts";

const errorParser = new XMLParser({ ignoreAttributes: true, parseTagValue: false });

export function refusalOf(status: number, text: string, method: string): StorageError {
  return errorInXml(status, text, method) ?? errorInJson(status, text, method);
}

/** S3's error document, wherever it turns up: also in the body of a 200 to a CompleteMultipartUpload. */
export function errorInXml(status: number, text: string, method?: string): StorageError | undefined {
  if (!text.includes("<Error>")) return undefined;
  const document: { Error?: { Code?: string; Message?: string } } = errorParser.parse(text);
  return new StorageError(status, document.Error?.Code ?? "", document.Error?.Message ?? "", method);
}

/** The API may know errors that we do not. */
const SpokenError = ErrorBody.pick({ message: true }).extend({ error: z.string() });

function errorInJson(status: number, text: string, method: string): StorageError {
  try {
    const { error, message } = SpokenError.parse(JSON.parse(text));
    return new StorageError(status, error, message, method);
  } catch {
    return new StorageError(status, "", "", method);
  }
}
