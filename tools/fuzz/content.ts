/** The bytes of a file of this size. Told beforehand by size and MD5, they are what was told. */
export function contentOf(sizeBytes: number): string {
  return "x".repeat(sizeBytes);
}
