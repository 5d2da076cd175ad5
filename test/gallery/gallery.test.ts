/** @file The gallery of the docs: its pictures are references that every preset and kind is held against, and its page is as the tables are. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import type { Network } from '../../src/import/network.ts';
import { createPool, type Pool } from '../../src/jobs/pool.ts';
import { render } from '../../src/node.ts';
import { defaultColumns, grid } from '../../src/output/grid.ts';
import type { Raster } from '../../src/output/raster.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { inlineHost } from '../jobs/hosts.ts';
import { expectPicture } from '../pictures.ts';
import { entries, fileOf, page } from './entries.ts';

const docs = fileURLToPath(new URL('../../docs/', import.meta.url));

describe('the gallery', () => {
  let network: Network;
  let pool: Pool;
  beforeAll(async () => {
    network = await openModel('resnet50v2-mini');
    pool = createPool(inlineHost(nodeRuntime));
  });
  afterAll(async () => {
    await pool.close();
    await network.close();
  });

  it.each(entries.map((entry) => [fileOf(entry), entry] as const))(
    'shows %s as it looked',
    { timeout: 120_000 },
    async (file, { options }) => {
      const pictures: Raster[] = [];
      for await (const event of render(network, options, { pool }))
        if (event.type === 'picture') pictures[event.picture.channel] = event.picture.raster;
      const shown = pictures.filter((picture) => picture);
      expectPicture(
        shown.length === 1 ? shown[0]! : grid(shown, { columns: defaultColumns(shown.length) }),
        file,
        `${docs}images/gallery`,
      );
    },
  );

  it('is the page that the tables make', async () => {
    await expect(page()).toMatchFileSnapshot(`${docs}gallery.md`);
  });
});
