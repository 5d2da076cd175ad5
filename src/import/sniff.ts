/** @file What a file looks like from its first bytes, for messages about files that are not what was expected. */

/** What {@link looksLike} says of bytes that it does not know. */
export const UNKNOWN = 'an unknown kind of file';

/** Whether these first bytes are those of an HDF5 file. */
export function isHdf5(head: Uint8Array): boolean {
  return [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, i) => head[i] === byte);
}

/** Whether these first bytes may be those of an ONNX file: field 1 (the IR version), a small varint, and then another field. */
export function isOnnx(head: Uint8Array): boolean {
  return (
    head[0] === 8 && head[1]! > 0 && head[1]! < 32 && [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(head[2]!)
  );
}

/** What {@link looksLike} says of JSON that is nothing it knows. */
export const JSON_TEXT = 'a JSON text';

/** What {@link looksLike} says of a model of TensorFlow.js that it knows by its first bytes. */
export const TFJS = 'a TensorFlow.js model';

/** Whether these first bytes are those of a zip archive. */
export function isZip(head: Uint8Array): boolean {
  return [0x50, 0x4b, 0x03, 0x04].every((byte, i) => head[i] === byte);
}

/** A `.keras` file begins with its metadata. */
function zipKind(head: Uint8Array): string {
  const text = new TextDecoder('latin1').decode(head);
  return /metadata\.json|config\.json/.test(text) ? 'a `.keras` file' : 'a zip archive';
}

/**
 * Says what `head` (the first 512 bytes or so) looks like: a noun phrase, such as `an HTML page`.
 *
 * @example
 * looksLike(Buffer.from('<!DOCTYPE html>…')); // 'an HTML page (what a server sends instead of a file)'
 */
export function looksLike(head: Uint8Array): string {
  if (head.length === 0) return 'an empty file';
  const starts = (...bytes: number[]): boolean => bytes.every((byte, i) => head[i] === byte);
  if (starts(0x89, 0x48, 0x44, 0x46)) return 'an HDF5 file';
  if (isZip(head)) return zipKind(head);
  if (starts(0x1f, 0x8b)) return 'a gzip archive';
  if (starts(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)) return 'a NumPy array';
  if (starts(0x89, 0x50, 0x4e, 0x47) || starts(0xff, 0xd8, 0xff)) return 'a picture';
  if (String.fromCharCode(...head.subarray(4, 8)) === 'TFL3')
    return 'a TensorFlow Lite model (convert it to ONNX with tf2onnx)';
  if (isOnnx(head)) return 'an ONNX model';
  if (head.every((byte) => byte === 0)) return 'a file of zeros (an unfinished download?)';
  if (head.every((byte) => byte >= 32 || byte === 9 || byte === 10 || byte === 13)) {
    const text = new TextDecoder().decode(head).trimStart().toLowerCase();
    if (text.startsWith('version https://git-lfs')) return 'a Git LFS pointer (run `git lfs pull`)';
    if (/^<(!doctype html|html|head|body)/.test(text)) return 'an HTML page (what a server sends instead of a file)';
    if (text.startsWith('<')) return 'an XML or HTML text';
    if (/^\{[^]*("weightsmanifest"|"modeltopology"|"format"\s*:\s*"(graph|layers)-model")/.test(text)) return TFJS;
    if (text.startsWith('{') || text.startsWith('[')) return JSON_TEXT;
    return 'a text file';
  }
  return UNKNOWN;
}
