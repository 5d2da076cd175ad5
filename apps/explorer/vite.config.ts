/** @file How the page is built: one classic script, since browsers load no modules from `file://`, and workers beside it. */
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

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

export default defineConfig({
  root: at('.'),
  // The page may stand in any folder of any host.
  base: './',
  plugins: [classic],
  resolve: {
    alias: [
      { find: /^phosphene\/web$/, replacement: at('../../src/web.ts') },
      { find: /^phosphene$/, replacement: at('../../src/index.ts') },
    ],
  },
  worker: { format: 'es' },
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
