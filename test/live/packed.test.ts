/** @file Typed arrays survive JSON, and nothing else is taken for one. */
import { describe, expect, it } from 'vitest';
import { packed, unpacked } from '../../src/live/packed.ts';

const there = (value: unknown): unknown => JSON.parse(JSON.stringify(value, packed), unpacked);

describe('what crosses as JSON', () => {
  it.each([
    ['bytes', Uint8Array.of(0, 1, 254, 255)],
    ['numbers', Float32Array.of(-0.5, Number.NaN, Infinity, 1e-38)],
    ['places', Int32Array.of(-1, 0, 2 ** 31 - 1)],
    ['nothing', new Float32Array(0)],
    ['more than one part', Uint8Array.from({ length: 20_000 }, (_, i) => i % 251)],
  ])('is the same afterwards: %s', (_, value) => expect(there({ a: [value] })).toEqual({ a: [value] }));

  it('is that part of a buffer which it shows', () =>
    expect(there(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toEqual(Uint8Array.of(2, 3)));

  it.each([
    ['another type', { base64: 'AAAA', type: 'BigInt64' }],
    ['a type of every object', { base64: 'AAAA', type: 'constructor' }],
    ['what is no base64', { base64: '*', type: 'uint8' }],
    ['half a number', { base64: 'AAAA', type: 'float32' }],
    ['no text', { base64: 3, type: 'uint8' }],
    ['no type', { base64: 'AAAA' }],
    ['null', null],
  ])('is left as it is: %s', (_, value) => expect(there(value)).toEqual(value));
});
