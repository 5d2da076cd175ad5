/** @file The types of gifenc, which has none: what is used of it. */
declare module 'gifenc' {
  type Palette = readonly (readonly number[])[];
  interface Stream {
    writeByte(byte: number): void;
    writeBytes(bytes: Uint8Array): void;
  }
  interface Encoder {
    readonly stream: Stream;
    writeFrame(
      index: Uint8Array,
      width: number,
      height: number,
      options: { readonly palette: Palette; readonly delay: number; readonly repeat: number },
    ): void;
    finish(): void;
    bytes(): Uint8Array;
  }
  interface Gifenc {
    GIFEncoder(): Encoder;
    quantize(rgba: Uint8Array, colours: number): Palette;
    applyPalette(rgba: Uint8Array, palette: Palette): Uint8Array;
  }
  // Node loads it as CommonJS and has all of it as its default; a bundler may load the module, whose names stand beside that.
  const gifenc: Gifenc;
  export default gifenc;
  export const GIFEncoder: Gifenc['GIFEncoder'];
  export const quantize: Gifenc['quantize'];
  export const applyPalette: Gifenc['applyPalette'];
}
