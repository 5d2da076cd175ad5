/**
 * @file `node bundle.js`, the second half of `npm run build`: what the compiler wrote to `dist` becomes a few files in
 * `dist/bundle`. Reading a model takes Node a tenth less time from them than from one file a module, in every thread.
 *
 * The bundle is flat and as deep as the folders of `src`, so that what a module finds by its own address (the built-in model, the
 * thread's script) is found from both.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { rolldown } from 'rolldown';
import { licensesOf } from './licenses/index.js';

/** Packages that become part of the bundle, since they are small and of many files. All others stay what npm installed. */
const included = [
  '@bufbuild/protobuf',
  '@jsquash/jpeg',
  '@jsquash/webp',
  '@noble/hashes',
  'fast-png',
  'fflate',
  'gifenc',
  'iobuffer',
];

/** The decoders of photos: their code looks for them beside itself. The encoders of their packages, which are larger, are not needed. */
const decoders = ['@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm', '@jsquash/webp/codec/dec/webp_dec.wasm'];

const bundle = await rolldown({
  input: {
    index: 'dist/index.js',
    node: 'dist/node.js',
    web: 'dist/web.js',
    ir: 'dist/ir/index.js',
    grad: 'dist/grad/index.js',
    main: 'dist/cli/main.js',
    'node-worker': 'dist/jobs/node-worker.js',
  },
  external: (id) => /^[^./]/.test(id) && !included.some((name) => id === name || id.startsWith(`${name}/`)),
  platform: 'neutral',
  resolve: { mainFields: ['module', 'main'] },
  onLog(level, log) {
    if (level === 'warn') throw new Error(log.message);
  },
});
await bundle.write({ dir: 'dist/bundle', format: 'esm', cleanDir: true, chunkFileNames: '[name]-[hash].js' });
for (const file of decoders) copyFileSync(`node_modules/${file}`, `dist/bundle/${basename(file)}`);

writeFileSync('dist/bundle/LICENSES.txt', licensesOf(included));
