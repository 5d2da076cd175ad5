/** @file A stream of events between one who makes them at any time and one who takes them when there is time. */

/** The maker's side. */
export interface Events<T> {
  /** Appends an event; it takes the place of the last one that waits, if `replaces` says so. Ignored after the end. */
  readonly push: (event: T) => void;
  /** Ends the stream once what waits was taken; with an error, what waits is dropped. Only the first end counts. */
  readonly end: (failure?: { readonly error: unknown }) => void;
  /** The taker's side: for one `for await`. */
  readonly stream: AsyncIterableIterator<T, void>;
}

export interface EventsOptions<T> {
  /** Whether an event makes the one before it worthless; so a slow taker lets nothing pile up. */
  readonly replaces: (event: T, before: T) => boolean;
  /** Called once if the taker leaves before the end. */
  readonly left: () => void;
}

/**
 * @example
 * const { push, end, stream } = events<number>({ replaces: () => false, left: () => console.log('left') });
 * push(1);
 * end();
 * for await (const event of stream) console.log(event); // 1
 */
export function events<T>({ replaces, left }: EventsOptions<T>): Events<T> {
  let waiting: T[] = [];
  let ended: { readonly error?: unknown } | undefined;
  const takers: { resolve: (result: IteratorResult<T, void>) => void; reject: (error: unknown) => void }[] = [];

  const finish = (how: { readonly error?: unknown }): void => {
    ended = how;
    for (const taker of takers.splice(0)) conclude(taker);
  };
  const conclude = ({ resolve, reject }: (typeof takers)[number]): void => {
    const how = ended!;
    // Told once; then the stream is over, as it is for a generator that threw.
    ended = {};
    if ('error' in how) reject(how.error);
    else resolve({ done: true, value: undefined });
  };

  const stream: AsyncIterableIterator<T, void> = {
    next: () =>
      new Promise((resolve, reject) => {
        if (waiting.length > 0) resolve({ done: false, value: waiting.shift()! });
        else if (ended) conclude({ resolve, reject });
        else takers.push({ resolve, reject });
      }),
    async return() {
      waiting = [];
      if (!ended) {
        finish({});
        left();
      }
      ended = {};
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return {
    push(event) {
      if (ended) return;
      const taker = takers.shift();
      if (taker) taker.resolve({ done: false, value: event });
      else if (waiting.length > 0 && replaces(event, waiting.at(-1)!)) waiting[waiting.length - 1] = event;
      else waiting.push(event);
    },
    end(failure) {
      if (ended) return;
      if (failure) waiting = [];
      finish(failure ?? {});
    },
    stream,
  };
}
