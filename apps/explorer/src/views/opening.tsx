/** @file Opening models: a button, a place to drop files, what a link is missing, and what a network expects of pictures. */
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ModelFacts } from 'phosphene/web';
import { amend, go, type Route, route } from '../route.ts';
import { failure, offer } from '../state.ts';
import { expects, origins, plainName } from '../words.ts';

const TYPES = '.onnx,.keras,.h5,.hdf5,.json,.bin,.data,.pb';

/** What went wrong with the last files, and whether some are being read. */
const refusal = signal<string | undefined>(undefined);
const reading = signal<string | undefined>(undefined);

/** Opens files, and goes to what they hold. With `wanted`, that must be the model of this name. */
async function take(files: readonly File[], wanted?: string): Promise<void> {
  if (files.length === 0) return;
  refusal.value = undefined;
  reading.value = files.length === 1 ? files[0]!.name : `${files.length} files`;
  try {
    const name = await offer(files);
    if (wanted === undefined) return go({ model: name, settings: {} });
    if (name === wanted) return location.reload();
    refusal.value = `This is another file: its contents are ${name.slice(-12)}…, and the link means ${wanted.slice(-12)}…`;
  } catch (error) {
    refusal.value = failure(error).message;
  } finally {
    reading.value = undefined;
  }
}

function Chooser({ wanted, children }: { readonly wanted?: string; readonly children: preact.ComponentChildren }) {
  return (
    <label class="button">
      {children}
      <input
        type="file"
        multiple
        accept={TYPES}
        onChange={(event) => {
          const input = event.currentTarget;
          void take([...(input.files ?? [])], wanted).finally(() => (input.value = ''));
        }}
      />
    </label>
  );
}

export function OpenButton() {
  return (
    <>
      <Chooser>Open a model</Chooser>
      {reading.value !== undefined && (
        <p class="trouble" role="status">
          Reading {reading.value}…
        </p>
      )}
      {refusal.value !== undefined && (
        <div class="trouble" role="alert">
          <p>{refusal.value}</p>
          <button type="button" onClick={() => (refusal.value = undefined)}>
            Close
          </button>
        </div>
      )}
    </>
  );
}

/** The whole page takes files that are dropped on it. */
export function DropZone() {
  const over = useSignal(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const enter = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over.value = true;
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) over.value = false;
    };
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      over.value = false;
      void take([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener('dragover', enter);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);
  return over.value ? (
    <div class="drop" aria-hidden="true">
      <p>Drop the model. It stays on this machine.</p>
    </div>
  ) : null;
}

/** A link to a model that is a file of someone. */
export function Missing({ name }: { readonly name: string }) {
  return (
    <div class="failed">
      <h1>{plainName(name)}</h1>
      <p>
        This link shows a model that is a file. Choose the same file, and you see what the link shows; it stays on this
        machine.
      </p>
      <p class="facts">SHA-256 {name.slice(-12)}…</p>
      <Chooser wanted={name}>Choose {plainName(name)}</Chooser>
    </div>
  );
}

const named = ['tf', 'torch', 'caffe', 'raw'] as const;
const meaning = {
  tf: 'RGB in [-1, 1]',
  torch: 'as torchvision does',
  caffe: 'BGR, mean subtracted',
  raw: 'RGB in [0, 255]',
} as const;

/** What the network expects of a picture, to be seen and changed. */
export function Preprocessing({ facts, route: now }: { readonly facts: ModelFacts; readonly route: Route }) {
  const { from } = facts.input;
  const set = (preprocess: string | undefined): void => amend({ ...route.value, preprocess });
  const custom = now.preprocess !== undefined && !named.includes(now.preprocess as 'tf');
  return (
    <details class="preprocess" open={from === 'assumed' || undefined}>
      <summary>
        Takes {expects(facts)} <span class="facts">({origins[from]})</span>
      </summary>
      <div class="field">
        <label for="preprocess">Preprocessing</label>
        <select
          id="preprocess"
          value={custom ? 'custom' : (now.preprocess ?? '')}
          onChange={(e) => {
            const { value } = e.currentTarget;
            set(value === '' ? undefined : value === 'custom' ? '{"range":[0,1],"mean":0,"std":1}' : value);
          }}
        >
          <option value="">what is known of the model</option>
          {named.map((name) => (
            <option key={name} value={name}>
              {name} ({meaning[name]})
            </option>
          ))}
          <option value="custom">own numbers</option>
        </select>
      </div>
      {custom && (
        <div class="field">
          <label for="numbers">Numbers</label>
          <input
            id="numbers"
            value={now.preprocess}
            spellcheck={false}
            onChange={(e) => set(e.currentTarget.value || undefined)}
          />
        </div>
      )}
    </details>
  );
}
