/** @file What the fuzzer asks of a kind of input. */

/** One hostile input, made from a seed and nothing else. */
export interface Case {
  /** What was done to what, for the report: `squeeze, 2 of its bytes flipped`. */
  readonly title: string;
  /** The file itself, where the input is one: it is kept when something is found. */
  readonly file?: { readonly extension: string; readonly bytes: Uint8Array };
  /**
   * Puts the input through phosphene and says how far it came, in a word or two. A {@link PhospheneError} is a good answer too;
   * whatever else it throws is a finding.
   *
   * @param folder an empty folder of this case alone, removed afterwards
   */
  run(folder: string): Promise<string>;
}

/** A kind of input: ONNX files, HDF5 files, folders of results, download servers … */
export interface Kind {
  /** How many cases make a full run. */
  readonly count: number;
  /** Case number `seed`. The same seed makes the same case on every machine. */
  make(seed: number): Case | Promise<Case>;
}
