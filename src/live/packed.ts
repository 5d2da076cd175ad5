/** @file Numbers and bytes as JSON can hold them: base64, and what they are. */

const types = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array } as const;
type TypeName = keyof typeof types;
const names = Object.keys(types) as readonly TypeName[];
/** Letters that one call makes at a time: each is an argument. */
const PART = 1 << 13;

/**
 * For `JSON.stringify`: typed arrays become objects that {@link unpacked} knows.
 *
 * @example
 * JSON.stringify({ data: Uint8Array.of(1, 2) }, packed);
 */
export function packed(_: string, value: unknown): unknown {
  const type = names.find((name) => value instanceof types[name]);
  if (!type) return value;
  const { buffer, byteOffset, byteLength } = value as Uint8Array;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let text = '';
  for (let i = 0; i < bytes.length; i += PART) text += String.fromCharCode(...bytes.subarray(i, i + PART));
  return { base64: btoa(text), type };
}

/**
 * For `JSON.parse`: the typed arrays that {@link packed} made. Whoever wrote the text may be a stranger: what is not whole is left as it is.
 *
 * @example
 * JSON.parse(JSON.stringify({ data: Uint8Array.of(1) }, packed), unpacked);
 */
export function unpacked(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('base64' in value) || !('type' in value)) return value;
  const { base64, type } = value;
  if (typeof base64 !== 'string' || !names.includes(type as TypeName)) return value;
  try {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return new types[type as TypeName](bytes.buffer);
  } catch {
    return value;
  }
}
