/** @file Finding: layers and channels by a few letters, from anywhere by `/`, and places to go without a name. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ModelFacts } from 'phosphene/web';
import { find } from '../find.ts';
import { at, go, href, orders, type Route } from '../route.ts';
import { anyOf, canMake, isTarget } from '../state.ts';

const meanings = {
  strongest: 'the strongest first',
  dead: 'the dead first',
  odd: 'the odd ones out first',
} as const;

export function Find({ facts, route }: { readonly facts: ModelFacts; readonly route: Route }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const text = useSignal('');
  const open = (): void => {
    text.value = '';
    dialog.current?.showModal();
  };
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => {
      const { target } = event;
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target instanceof HTMLElement && target.closest('input, select, textarea, dialog')) return;
      event.preventDefault();
      open();
    };
    addEventListener('keydown', listener);
    return () => removeEventListener('keydown', listener);
  }, []);
  // Wherever one goes, one is there.
  useEffect(() => dialog.current?.close(), [href(route)]);

  const targets = facts.layers.filter(isTarget);
  const here =
    targets.find(({ name }) => name === route.layer) ?? targets.find(({ name }) => name === facts.defaultLayer);
  const found = find(facts, text.value, route.layer);
  const links = (): readonly HTMLElement[] => [...(dialog.current?.querySelectorAll<HTMLElement>('li a') ?? [])];
  const keyed = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const all = links();
    const i = all.indexOf(document.activeElement as HTMLElement) + by;
    (i < 0 ? dialog.current?.querySelector('input') : all[Math.min(i, all.length - 1)])?.focus();
  };
  return (
    <>
      <button type="button" class="plain" onClick={open} aria-keyshortcuts="/" title="Find ( / )">
        Find
      </button>
      <dialog
        ref={dialog}
        class="find"
        aria-label="Find layers and channels"
        onKeyDown={keyed}
        onClick={(event) => {
          // Beside it, or on a place that one is at already.
          if (event.target === dialog.current || (event.target as Element).closest('a')) dialog.current?.close();
        }}
      >
        <form
          method="dialog"
          onSubmit={(event) => {
            event.preventDefault();
            links()[0]?.click();
          }}
        >
          <input
            type="text"
            aria-label="A layer, a channel or both"
            placeholder="conv3 12"
            autocomplete="off"
            spellcheck={false}
            value={text.value}
            onInput={(e) => (text.value = e.currentTarget.value)}
          />
        </form>
        <p class="unseen" role="status">
          {text.value === '' ? '' : `${found.length} found`}
        </p>
        {text.value === '' ? (
          <ul>
            {targets.length > 0 && (
              <li>
                <a
                  href={href(route)}
                  onClick={(event) => {
                    event.preventDefault();
                    go(at(route, anyOf(targets)));
                  }}
                >
                  Any unit
                </a>
              </li>
            )}
            {here &&
              canMake(facts.ref.name) &&
              orders.map((order) => (
                <li key={order}>
                  <a href={href({ ...at(route, { layer: here.name }), order })}>
                    {here.name} <span>{meanings[order]}</span>
                  </a>
                </li>
              ))}
          </ul>
        ) : found.length === 0 ? (
          <p class="facts">Nothing is called that. Write a part of a layer’s name, a channel’s number, or both.</p>
        ) : (
          <ul>
            {found.map(({ layer, unit, note }) => (
              <li key={`${layer}/${unit}`}>
                <a href={href(at(route, { layer, unit }))}>
                  {layer}
                  {unit !== undefined && ` ${unit}`} <span>{note}</span>
                </a>
              </li>
            ))}
          </ul>
        )}
      </dialog>
    </>
  );
}
