/**
 * @file The mutants that a review of 0.1.0 made by hand, of which most survived then: each is made again in a copy of today's source, where
 * the tests beside it must notice it, with `../shared` and without. `npm run mutants -- --named` runs them and prints the table of
 * docs/testing.md.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVitest } from 'vitest/node';

/**
 * What is wrong, in which file, what stands there, what the mutant has in its place, and the tests that are asked. Where the code has moved
 * on since, it is the nearest that could go wrong today.
 *
 * @type {readonly (readonly [what: string, file: string, find: string, replace: string, tests: string])[]}
 */
const mutants = [
  ...['seed', 'optimiser', 'param', 'finish', 'preprocess'].map((part) => [
    `the digest of a recipe leaves out ${part === 'seed' ? 'the seed' : `\`${part}\``}`,
    'src/render/recipe.ts',
    '  const { model, ...rest } = recipe;\n',
    `  const { model, ${part}: left, ...rest } = recipe;\n`,
    'test/render/recipe.test.ts',
  ]),
  [
    'the digest of a recipe leaves out the weights',
    'src/render/recipe.ts',
    '  return hashed({ ...rest, model: model.digest });\n}\n\n/** The digest of what pictures',
    '  return hashed(rest);\n}\n\n/** The digest of what pictures',
    'test/render/recipe.test.ts',
  ],
  [
    'a record is kept for any channel',
    'src/render/record.ts',
    'if (canonical(record) !== canonical(recordOf(expected, made))) return undefined;',
    '',
    'test/render/record.test.ts',
  ],
  ...[
    ['dead', "return 'dead';"],
    ['not-rising', "return 'not-rising';"],
    ['saturated', "return 'saturated';"],
    ['not-finite', "return 'not-finite';"],
  ].map(([status, find]) => [
    `no picture is \`${status}\``,
    'src/render/diagnosis.ts',
    find,
    "return 'ok';",
    'test/render/diagnosis.test.ts',
  ]),
  [
    'no picture is `noise-like`',
    'src/render/diagnosis.ts',
    "? 'noise-like' : 'ok'",
    "? 'ok' : 'ok'",
    'test/render/diagnosis.test.ts',
  ],
  ...['noise', 'contrast'].map((name) => [
    `\`--${name}\` is ignored`,
    'src/cli/settings.ts',
    'if (value === undefined) continue;',
    `if (value === undefined || name === '${name}') continue;`,
    'test/cli/process.test.ts',
  ]),
  [
    '`--quiet` shows progress',
    'src/cli/program.ts',
    "given['quiet'] === true || given['json'] === true",
    "given['json'] === true",
    'test/cli/program.test.ts',
  ],
  [
    '`--size HxW` is width and height',
    'src/cli/parse.ts',
    '{ height: Number(match[1]), width: Number(match[2] ?? match[1]) }',
    '{ width: Number(match[1]), height: Number(match[2] ?? match[1]) }',
    'test/cli/options.test.ts',
  ],
  [
    'the progress bar is empty where it should be full',
    'src/cli/progress.ts',
    "'█'.repeat(full) + '░'.repeat(length - full)",
    "'░'.repeat(full) + '█'.repeat(length - full)",
    'test/cli/progress.test.ts',
  ],
  [
    "torch's mean is wrong",
    'src/import/preprocess.ts',
    'mean: [0.485, 0.456, 0.406]',
    'mean: [0.485, 0.406, 0.456]',
    'test/import/preprocess.test.ts',
  ],
  [
    "caffe's means are wrong",
    'src/import/preprocess.ts',
    'mean: [103.939, 116.779, 123.68]',
    'mean: [123.68, 116.779, 103.939]',
    'test/import/preprocess.test.ts',
  ],
  [
    "caffe's order is RGB",
    'src/import/preprocess.ts',
    '123.68], bgr: true',
    '123.68], bgr: false',
    'test/import/preprocess.test.ts',
  ],
  [
    "the file's metadata is ignored",
    'src/import/onnx/index.ts',
    "metadata['phosphene.preprocess']",
    'undefined',
    'test/import/preprocess.test.ts',
  ],
  [
    'pictures have the default contrast',
    'src/output/finish.ts',
    'make: ({ crop, contrast: deviation, stretch })',
    'make: ({ crop, stretch, contrast: _, deviation = 0.15 })',
    'test/cli/process.test.ts',
  ],
  [
    "a step ignores its caller's gradient rules",
    'src/render/step.ts',
    'overrides: { ...overridesOf(s, loss, overriding), ...overrides },',
    'overrides: overridesOf(s, loss, overriding),',
    'test/render/step.test.ts',
  ],
  [
    'a step ignores which gradient is followed',
    'src/render/step.ts',
    'overrides: { ...overridesOf(s, loss, overriding), ...overrides },',
    'overrides,',
    'test/render/step.test.ts',
  ],
  [
    'an ascent ignores its signal',
    'src/render/ascend.ts',
    "if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);",
    '',
    'test/render/ascend.test.ts',
  ],
  ...[
    ['a step', "return entry.events.push({ type: 'step', done: message.done, loss: message.loss });", 'return;'],
    ['the start', "if (!entry.started) entry.events.push({ type: 'started' });", ''],
    ['the end', "entry.events.push({ type: 'done', ascent: message.ascent });", ''],
    ['a failure', '{ error: PhospheneError.fromJSON(message.error) }', 'undefined'],
  ].map(([which, find, replace]) => [
    `a worker's message of ${which} is lost`,
    'src/jobs/pool.ts',
    find,
    replace,
    'test/jobs/pool.test.ts',
  ]),
  [
    'a thread hears no messages',
    'src/jobs/node-host.ts',
    '        listener(message);\n',
    '',
    'test/jobs/node-host.test.ts',
  ],
  [
    'temporaries of killed runs are not swept',
    'src/runs/set.ts',
    'await Promise.all([sweepTemporaries(out, fs), sweepTemporaries(folder, fs)]);',
    '',
    'test/runs/run.test.ts',
  ],
  [
    'the index has no line for each picture',
    'src/runs/set.ts',
    "        await opened.append({\n          type: 'picture',",
    "        (() => {})({\n          type: 'picture',",
    'test/runs/run.test.ts',
  ],
  [
    'a run that was stopped has no manifest',
    'src/runs/run.ts',
    'if (!recorded) await',
    'if (false) await',
    'test/runs/run.test.ts',
  ],
  [
    'a second Ctrl-C does nothing',
    'src/cli/signal.ts',
    'if (controller.signal.aborted) return end(signal);',
    'if (controller.signal.aborted) return;',
    'test/cli/signal.test.ts',
  ],
  [
    'the memory of a worker leaves out the way back',
    'src/render/step.ts',
    'Math.max(5 * all, 16 * most)',
    'Math.max(2 * all, 6 * most)',
    'test/render/memory.test.ts',
  ],
];

/** Runs the mutants in a copy of the checkout below `root`, and returns how many live. */
export async function runNamed(root, shared) {
  const copy = join(root, '.stryker', 'named');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const name of ['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const name of ['models', 'dist']) symlinkSync(join(root, name), join(copy, name));

  // One process for all: only what a mutant changes is read anew.
  const vitest = await createVitest('test', { root: copy, watch: false, reporters: [{}], bail: 1, maxWorkers: 1 });
  /** The name of a test that fails, undefined if none does. */
  const noticing = async (tests, folder) => {
    process.env.PHOSPHENE_SHARED = folder;
    const wanted = await vitest.globTestSpecifications(tests);
    if (wanted.length !== tests.length) throw new Error(`${tests.join(', ')}: ${wanted.length} of them found`);
    const { testModules } = await vitest.runTestSpecifications(wanted);
    for (const module of testModules) {
      // Those of earlier runs are there too.
      if (!wanted.some(({ moduleId }) => moduleId === module.moduleId)) continue;
      for (const test of module.children.allTests('failed')) return test.fullName.replaceAll(' > ', ', ');
      if (!module.ok()) return module.errors()[0]?.message ?? 'it cannot be loaded';
    }
    return undefined;
  };

  const folders = { with: shared, without: '/nonexistent' };
  const all = [...new Set(mutants.map(([, , , , tests]) => tests))];
  const checkSound = async () => {
    for (const [which, folder] of Object.entries(folders)) {
      const failing = await noticing(all, folder);
      if (failing !== undefined) throw new Error(`without any mutant, ${which} ../shared, this test fails: ${failing}`);
    }
  };
  await checkSound();
  let living = 0;
  console.log('| mutant | file | with `../shared` | without | noticed by |\n|---|---|---|---|---|');
  for (const [what, file, find, replace, tests] of mutants) {
    const path = join(copy, file);
    const source = readFileSync(path, 'utf8');
    if (source.split(find).length !== 2)
      throw new Error(`${what}: \`${find}\` stands not once in ${file}; mend the table`);
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
    vitest.invalidateFile(path);
    const one = await noticing([tests], shared);
    const other = await noticing([tests], folders.without);
    writeFileSync(path, source);
    vitest.invalidateFile(path);
    const verdict = (by) => (by === undefined ? '**lives**' : 'dead');
    if (one === undefined || other === undefined) living++;
    const by = other === undefined ? '' : `${tests.slice('test/'.length)}: ${other.replaceAll('|', '\\|')}`;
    console.log(`| ${what} | \`${file}\` | ${verdict(one)} | ${verdict(other)} | ${by} |`);
  }
  // A verdict is worth something only if the same process still passes what is sound.
  await checkSound();
  console.log(`\n${mutants.length - living} of ${mutants.length} are dead, with ../shared and without.`);
  await vitest.close();
  rmSync(copy, { recursive: true, force: true });
  return living;
}
