/** @file Where pictures come from: the one interface between the page and whoever makes them. */
import type { Catalogue, Look, ModelFacts, ModelRef, News, Seen, Studied, Study, Wish } from 'phosphene/web';

/** Makes pictures, or has them: a worker of this page, a server on this machine, or files made beforehand. */
export interface Backend {
  readonly kind: 'worker' | 'server' | 'tiles';
  catalogue(): Promise<Catalogue>;
  /** Throws a `PhospheneError`'s data as {@link Failure}. */
  open(model: ModelRef): Promise<ModelFacts>;
  /** A picture while it is made. Leaving the loop, or the signal, stops the work. Throws {@link Failure}. */
  watch(wish: Wish, signal: AbortSignal): AsyncIterable<News | Ready>;
  /** What a network sees in a photo. Throws {@link Failure}. */
  look(look: Look): Promise<Seen>;
  /** What the channels of a layer are like. Throws {@link Failure}. */
  study(study: Study): Promise<Studied>;
  /** Whether it can make pictures of this model; otherwise it only has some. It can unless this says no. */
  readonly makes?: (model: string) => boolean;
  /** Opens files that the visitor chose, and returns the name under which the model is known from now on. */
  readonly offer?: (files: readonly File[]) => Promise<string>;
  /** Calls `listener` when the backend is lost, with a sentence, and when it is back, with undefined. */
  readonly onTrouble?: (listener: (trouble: string | undefined) => void) => void;
  close(): void;
}

/** A picture that is a file already. */
export interface Ready {
  readonly type: 'ready';
  readonly url: string;
  /** Whether it is all that comes. */
  readonly last: boolean;
}

/** An error that crossed a line: a code for programs, a sentence for people. */
export class Failure extends Error {
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
  constructor({ code, message, details = {} }: { code: string; message: string; details?: Record<string, unknown> }) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
