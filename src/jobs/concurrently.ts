/** @file Several streams at once, as one. */

/**
 * What `work` yields for each item, as it comes; at most `most` items are under way, and the next is taken when one is finished.
 * An error ends all of them, and so does a `break`.
 *
 * @example
 * for await (const event of concurrently(channels, 2, (channel) => pool.submit(program, jobOf(channel)))) console.log(event.type);
 */
export async function* concurrently<T, U>(
  items: Iterable<T> | AsyncIterable<T>,
  most: number,
  work: (item: T) => AsyncIterable<U>,
): AsyncGenerator<U, void> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  type Event = { readonly from: AsyncIterator<U>; readonly result: IteratorResult<U> };
  const under = new Map<AsyncIterator<U>, Promise<Event>>();
  const advance = (from: AsyncIterator<U>): void => {
    under.set(
      from,
      from.next().then((result) => ({ from, result })),
    );
  };
  let exhausted = false;
  try {
    for (;;) {
      while (!exhausted && under.size < most) {
        const next = await source.next();
        if (next.done) exhausted = true;
        else advance(work(next.value)[Symbol.asyncIterator]());
      }
      if (under.size === 0) return;
      const { from, result } = await Promise.race(under.values());
      if (result.done) under.delete(from);
      else {
        advance(from);
        yield result.value;
      }
    }
  } finally {
    await source.return?.(undefined);
    // A stream that is asked to end while its next value is awaited ends after that; nobody waits for it.
    for (const from of under.keys()) void from.return?.(undefined)?.catch(() => {});
    for (const pending of under.values()) void pending.catch(() => {});
  }
}
