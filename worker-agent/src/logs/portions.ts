/**
 * Portions of bytes that wait, of which a command that writes byte by byte makes as many as bytes: small ones share blocks, so that what
 * waits costs about its bytes in memory, and going through it about as long as the bytes take.
 */

const blockBytes = 16 * 1024;
/** Copying a larger one costs more than it saves. */
const smallBytes = 4 * 1024;

/** Blocks of ours: there is nothing of anybody else's behind what they hold. */
const blocks = new WeakSet<ArrayBufferLike>();

/** Appends the bytes to these portions; what is no portion stays between them. */
export function appendPortion<Other>(portions: (Buffer | Other)[], bytes: Buffer): void {
  if (bytes.length === 0) return;
  if (bytes.length > smallBytes) {
    portions.push(bytes);
    return;
  }
  const last = portions.at(-1);
  if (Buffer.isBuffer(last) && blocks.has(last.buffer)) {
    const length = last.length + bytes.length;
    if (last.byteOffset + length <= last.buffer.byteLength) {
      const grown = Buffer.from(last.buffer, last.byteOffset, length);
      bytes.copy(grown, last.length);
      portions[portions.length - 1] = grown;
      return;
    }
  }
  const block = Buffer.allocUnsafeSlow(blockBytes);
  blocks.add(block.buffer);
  bytes.copy(block);
  portions.push(block.subarray(0, bytes.length));
}
