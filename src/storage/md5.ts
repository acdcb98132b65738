import { bytesOfHex } from "../domain/hex.ts";

/** Hex, as the wire and etags have it, to base64, as Content-MD5 wants it. */
export function base64OfHex(hex: string): string {
  return btoa(String.fromCharCode(...bytesOfHex(hex)));
}
