/** @file How the page is built: one classic script, since browsers load no modules from `file://`, and workers beside it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { licensesOf } from '../../licenses/index.js';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A page of `file://` may run classic scripts alone, whose names are everyone's unless they stand in a function. */
const classic: Plugin = {
  name: 'classic-script',
  apply: 'build',
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle))
      if (file.type === 'chunk' && file.isEntry)
        file.code = `(()=>{${file.code.replaceAll('import.meta.url', 'document.baseURI')}})();`;
  },
  transformIndexHtml: {
    order: 'post',
    handler: (html) => html.replaceAll('type="module" crossorigin', 'defer').replaceAll(' crossorigin', ''),
  },
};

/** Packages of which something is in the page or in its workers. */
const used = new Set<string>();
/** The licenses of all that others have written, beside the page. */
const licenses = (): Plugin => ({
  name: 'licenses',
  apply: 'build',
  moduleParsed({ id }) {
    const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1];
    if (name) used.add(name);
  },
  closeBundle() {
    // A font is no module.
    const names = [...used, '@fontsource-variable/inter'].toSorted();
    // Workers are done first, before there is a folder.
    mkdirSync(at('../../dist/explorer'), { recursive: true });
    writeFileSync(at('../../dist/explorer/licenses.txt'), licensesOf([...new Set(names)]));
  },
});

export default defineConfig({
  root: at('.'),
  // The page may stand in any folder of any host.
  base: './',
  plugins: [classic, licenses()],
  resolve: {
    alias: [
      { find: /^phosphene\/web$/, replacement: at('../../src/web.ts') },
      { find: /^phosphene$/, replacement: at('../../src/index.ts') },
    ],
  },
  worker: { format: 'es', plugins: () => [licenses()] },
  experimental: {
    // A classic script does not know its own address: the page's is what counts, and for a worker that of its folder's parent.
    renderBuiltUrl: (file, { hostType }) =>
      hostType === 'js'
        ? {
            runtime: `new URL(${JSON.stringify(file)},globalThis.document?document.baseURI:new URL('..',location.href)).href`,
          }
        : { relative: true },
  },
  build: {
    outDir: at('../../dist/explorer'),
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: false,
    // Each file once, and none inside another: a strict policy allows no `data:` scripts or fonts.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: { output: { codeSplitting: false } },
  },
});
