/** @file A network: a map of its blocks, and what the layers at their ends want to see. */
import { type Block, blocksOf, endOf as lastOf, type LayerFacts, type ModelFacts } from 'phosphene/web';
import { wishFor } from '../pictures.ts';
import { at, go, href, type Route } from '../route.ts';
import { anyOf, canMake, isTarget, type Target } from '../state.ts';
import { about, count, counted, mapOf, plainName } from '../words.ts';
import { Preprocessing } from './opening.tsx';
import { Picture } from './picture.tsx';

/** Pictures of a layer at a glance: as many as fit into its row are seen. */
const GLANCE = 12;

interface Props {
  readonly facts: ModelFacts;
  readonly route: Route;
}

export function NetworkView({ facts, route }: Props) {
  const blocks = blocksOf(facts.layers);
  const shown = facts.layers.filter(isTarget);
  const parameters = facts.layers.reduce((sum, l) => sum + l.parameters, 0);
  const channels = shown.reduce((sum, l) => sum + l.channels, 0);
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>{plainName(facts.ref.name)}</h1>
        <p class="facts">
          {counted(facts.layers.length, 'layer')} · {counted(channels, 'channel')} to see · {about(parameters)}{' '}
          parameters ·{' '}
          <a
            href={href(route)}
            onClick={(event) => {
              event.preventDefault();
              go(at(route, anyOf(shown)));
            }}
          >
            Any unit
          </a>
        </p>
        <Preprocessing facts={facts} route={route} />
        {facts.barrier && <p class="note">The network goes on, but cannot be read any further: {facts.barrier}</p>}
      </div>
      <BlockMap blocks={blocks} facts={facts} route={route} />
      <div class={canMake(facts.ref.name) ? 'blocks' : 'blocks beforehand'}>
        {blocks.map((block) => (
          <BlockRow key={block.name} block={block} facts={facts} route={route} />
        ))}
      </div>
    </>
  );
}

/** The layer that stands for a block. */
function endOf(block: Block): Target | undefined {
  const end = lastOf(block);
  return end && isTarget(end) ? end : undefined;
}

const why = { 'no channels': 'has no channels', 'no gradient': 'cannot be differentiated' } as const;
const reasonOf = ({ obstacle }: LayerFacts): string => (obstacle ? why[obstacle] : 'can be shown');

/** Each block as tall as its picture is large and as wide as it has channels: the shape that a convnet has. */
function BlockMap({ blocks, facts, route }: Props & { readonly blocks: readonly Block[] }) {
  const sides = blocks.map(({ layers }) => Math.max(1, ...layers.at(-1)!.dims.slice(2)));
  const most = Math.max(...sides);
  return (
    <nav class="map" aria-label="Map of the blocks">
      <ol>
        {blocks.map((block, i) => {
          const end = endOf(block);
          const last = end ?? block.layers.at(-1)!;
          const height = 10 + 90 * (Math.log2(1 + sides[i]!) / Math.log2(1 + most));
          const grow = Math.log2(2 + (last.channels ?? 1));
          const label = end
            ? `${block.name}: ${mapOf(end)}, ${counted(end.channels, 'channel')}`
            : `${block.name}: ${reasonOf(last)}`;
          return (
            <li key={block.name} style={{ flexGrow: grow }}>
              {end ? (
                <a href={href(at(route, { layer: end.name }))} title={label} aria-label={label}>
                  <span class="bar-of" style={{ height: `${height}%` }}>
                    <Picture wish={wishFor(facts, end, 0, route)} alt="" />
                  </span>
                </a>
              ) : (
                <span class="closed" title={label} role="img" aria-label={label}>
                  <span class="bar-of" style={{ height: `${height}%` }} />
                </span>
              )}
            </li>
          );
        })}
      </ol>
      <p aria-hidden="true">
        <span>picture</span>
        <span>height: size of the map · width: channels</span>
        <span>deep</span>
      </p>
    </nav>
  );
}

function BlockRow({ block, facts, route }: Props & { readonly block: Block }) {
  const end = endOf(block);
  if (!end) {
    const last = block.layers.at(-1)!;
    return (
      <section class="block closed">
        <h2>{block.name}</h2>
        <p class="facts">
          {counted(block.layers.length, 'layer')}; {block.layers.length === 1 ? 'it' : 'the last one'} {reasonOf(last)}
        </p>
      </section>
    );
  }
  const others = block.layers.filter((l) => l !== end);
  return (
    <section class="block">
      <div class="block-head">
        <h2>
          <a href={href(at(route, { layer: end.name }))}>{end.name}</a>
        </h2>
        <p class="facts">
          {mapOf(end) && `${mapOf(end)} · `}
          {counted(end.channels, 'channel')}
        </p>
      </div>
      <ul class="strip">
        {Array.from({ length: Math.min(GLANCE, end.channels) }, (_, channel) => (
          <li key={channel}>
            <a
              href={href(at(route, { layer: end.name, unit: channel }))}
              aria-label={`${end.name}, channel ${channel}`}
            >
              <Picture wish={wishFor(facts, end, channel, route)} alt="" />
            </a>
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <details>
          <summary>{counted(others.length, 'more layer')}</summary>
          <ul class="layers">
            {others.map((layer) => (
              <li key={layer.name}>
                {isTarget(layer) ? (
                  <a href={href(at(route, { layer: layer.name }))}>{layer.name}</a>
                ) : (
                  <span class="closed">{layer.name}</span>
                )}{' '}
                <span class="facts">
                  {layer.type}
                  {layer.channels !== undefined && ` · ${count(layer.channels)}`}
                  {!isTarget(layer) && ` · ${reasonOf(layer)}`}
                </span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
