/** @file A text to be copied. */
import { useSignal } from '@preact/signals';

export function Copy({ what, text }: { readonly what: string; readonly text: string }) {
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      copied.value = true;
      setTimeout(() => (copied.value = false), 1500);
    } catch {
      // A page that is not secure has no clipboard; the text can be marked.
    }
  };
  return (
    <div class="copy">
      <pre tabIndex={0} aria-label={what}>
        {text}
      </pre>
      <button type="button" onClick={() => void copy()} aria-label={`Copy the ${what}`}>
        {copied.value ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}
