/** @file What can be changed of pictures: the bar above them, and all settings. */
import type { ComponentChildren } from 'preact';
import { amend, type Route } from '../route.ts';
import { catalogue, presetOf } from '../state.ts';

/** The route without settings that are what the preset has anyway. */
export function changed(route: Route, change: Partial<Route>): void {
  const { step: _, ...next } = { ...route, ...change };
  const values = presetOf(next)?.values ?? {};
  const own = Object.entries(next.settings).filter(([name, value]) => value !== '' && values[name] !== value);
  const first = catalogue.value?.presets[0];
  amend({
    ...next,
    settings: Object.fromEntries(own),
    preset: next.preset === first?.name ? undefined : next.preset,
  });
}

/** Preset and seed, and what a view adds. */
export function Toolbar({ route, children }: { readonly route: Route; readonly children?: ComponentChildren }) {
  const { value } = catalogue;
  if (!value) return null;
  const preset = presetOf(route)!;
  const seed = route.settings['seed'] ?? preset.values['seed'] ?? '0';
  return (
    <div class="toolbar">
      <div class="field">
        <label for="preset">Preset</label>
        <select id="preset" value={preset.name} onChange={(e) => changed(route, { preset: e.currentTarget.value })}>
          {value.presets.map((p) => (
            <option key={p.name} value={p.name} title={p.help}>
              {p.name}
            </option>
          ))}
        </select>
      </div>
      <div class="field">
        <label for="seed">Seed</label>
        <input
          id="seed"
          type="number"
          value={seed}
          onChange={(e) => changed(route, { settings: { ...route.settings, seed: e.currentTarget.value } })}
        />
      </div>
      {children}
    </div>
  );
}

const headings: Readonly<Record<string, string>> = {
  objective: 'What is raised',
  param: 'What the picture is made of',
  transforms: 'What happens to it before each look',
  optimiser: 'How it moves',
  finish: 'How it is shown',
};

/** All settings, each with what it takes; those that differ from the preset's are marked. */
export function Settings({ route }: { readonly route: Route }) {
  const { value } = catalogue;
  const preset = presetOf(route);
  if (!value || !preset) return null;
  const groups = new Map<string, typeof value.settings>();
  for (const setting of value.settings) {
    const [noun, inside] = setting.path;
    const group = inside === undefined ? 'general' : noun!;
    // What belongs to a kind that neither preset nor visitor chose has no effect.
    const kindChosen = route.settings[noun!] !== undefined;
    if (preset.values[setting.name] === undefined && route.settings[setting.name] === undefined && !kindChosen)
      continue;
    groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  const count = Object.keys(route.settings).length + (route.size === undefined ? 0 : 1);
  const set = (name: string, text: string): void => changed(route, { settings: { ...route.settings, [name]: text } });
  return (
    <details class="settings">
      <summary>Settings{count > 0 && <span class="badge">{count} changed</span>}</summary>
      <div class="setting" data-changed={route.size !== undefined}>
        <label for="set-size">size</label>
        <input
          id="set-size"
          type="number"
          min="1"
          placeholder={String(preset.size)}
          value={route.size ?? ''}
          onChange={(e) => changed(route, { size: Number(e.currentTarget.value) || undefined })}
        />
        <p>Picture size in pixels</p>
      </div>
      {[...groups].map(([group, settings]) => (
        <fieldset key={group}>
          {headings[group] && <legend>{headings[group]}</legend>}
          {settings.map(({ name, help, takes, of }) => {
            const now = route.settings[name] ?? preset.values[name] ?? '';
            const id = `set-${name}`;
            return (
              <div class="setting" key={name} title={takes} data-changed={route.settings[name] !== undefined}>
                <label for={id}>{name}</label>
                {of || takes === 'true or false' ? (
                  <select id={id} value={now} onChange={(e) => set(name, e.currentTarget.value)}>
                    {(of ?? ['true', 'false']).map((word) => (
                      <option key={word}>{word}</option>
                    ))}
                  </select>
                ) : (
                  <input
                    id={id}
                    value={now}
                    inputMode={takes.includes('number') ? 'decimal' : 'text'}
                    onChange={(e) => set(name, e.currentTarget.value.trim())}
                  />
                )}
                <p>{help}</p>
              </div>
            );
          })}
        </fieldset>
      ))}
      {count > 0 && (
        <button type="button" onClick={() => changed(route, { settings: {}, size: undefined })}>
          Back to the preset
        </button>
      )}
    </details>
  );
}
