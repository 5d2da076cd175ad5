/** @file What cannot be shown, and why. */
import type { ComponentChildren } from 'preact';

interface Props {
  readonly message: string;
  /** What helps. */
  readonly children?: ComponentChildren;
}

export function Failed({ message, children }: Props) {
  return (
    <div class="failed" role="alert">
      <h1>This cannot be shown</h1>
      <p>{message}</p>
      {children}
    </div>
  );
}
