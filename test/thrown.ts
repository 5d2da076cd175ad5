/** @file The error that a call throws, for tests of what errors say. */
import { PhospheneError } from '../src/errors.ts';

/** What `call` throws; fails if that is no PhospheneError. */
export function thrown(call: () => unknown): PhospheneError {
  try {
    call();
  } catch (error) {
    if (error instanceof PhospheneError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The same for what a promise is rejected with. */
export async function rejected(promise: Promise<unknown>): Promise<PhospheneError> {
  const result = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (result instanceof PhospheneError) return result;
  throw result instanceof Error ? result : new Error('nothing was thrown');
}
