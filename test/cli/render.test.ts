/** @file The command, run as built, on the built-in model: pictures, reproducibility, resumption, and every kind of bad input. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { decodePng } from '../../src/output/png.ts';
import type { Manifest, PictureRecord } from '../../src/runs/index.ts';
import { barredFile } from '../render/barred.ts';
import { inShell, phosphene, temporary } from './command.ts';

// Small and early: a picture in a fraction of a second.
const QUICK = [
  'render',
  '--preset',
  'keras',
  '--layer',
  'conv2_block1_out',
  '--size',
  '64',
  '--crop',
  '8',
  '--steps',
  '4',
  '--rate',
  '2',
];
const files = (folder: string): string[] => (readdirSync(folder, { recursive: true }) as string[]).sort();
const digest = (folder: string): Record<string, string> =>
  Object.fromEntries(
    files(folder)
      .filter((f) => /\.(png|json)$/.test(f))
      .map((f) => [
        f,
        createHash('sha256')
          .update(readFileSync(join(folder, f)))
          .digest('hex'),
      ]),
  );

/** The folder of the one set of pictures of a layer. */
function setIn(out: string, layer = 'conv2_block1_out'): string {
  const sets = readdirSync(join(out, layer));
  expect(sets).toHaveLength(1);
  return join(out, layer, sets[0]!);
}

describe('phosphene render', () => {
  it('writes pictures, the grid and a manifest, each with its making', async () => {
    const out = temporary();
    const { code, stdout, stderr } = await phosphene([...QUICK, '--filters', '0-2,7', '--out', out, '--seed', '5']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('stitched_filters.png');
    const set = setIn(out);
    expect(set).toMatch(/keras-[0-9a-f]{6}$/);
    expect(files(set)).toEqual(['0.png', '1.png', '2.png', '7.png', 'manifest.json', 'stitched_filters.png']);
    expect(readdirSync(out).sort()).toEqual(['conv2_block1_out', 'index.jsonl', 'stitched_filters.png']);
    const { raster, text } = decodePng(readFileSync(join(set, '7.png')));
    expect([raster.width, raster.height]).toEqual([48, 48]);
    const record = JSON.parse(text['phosphene']!) as PictureRecord;
    expect(record).toMatchObject({
      preset: 'keras',
      recipe: {
        model: { name: 'resnet50v2-mini' },
        objective: { kind: 'channel', layer: 'conv2_block1_out', channel: 7, border: 2 },
        seed: 5,
        steps: 4,
        optimiser: { kind: 'normalised', rate: 2 },
        size: { height: 64, width: 64 },
      },
    });
    expect(record.losses).toHaveLength(4);
    expect(record.losses[3]).toBeGreaterThan(record.losses[0]!);
    const manifest = JSON.parse(readFileSync(join(set, 'manifest.json'), 'utf8')) as Manifest;
    expect(manifest.filters.map((f) => [f.channel, f.status])).toEqual([0, 1, 2, 7].map((c) => [c, 'done']));
    const sheet = decodePng(readFileSync(join(out, 'stitched_filters.png'))).raster;
    expect([sheet.width, sheet.height]).toEqual([2 * 48 + 5, 2 * 48 + 5]);
  });

  it('gives the same bytes whatever the order and the number of workers', async () => {
    const [a, b] = [temporary(), temporary()];
    await phosphene([...QUICK, '--filters', '0-5', '--out', a, '--workers', '1']);
    await phosphene([...QUICK, '--filters', '5,3,1,0,2,4', '--out', b, '--workers', '3']);
    const [first, second] = [digest(a), digest(b)];
    const pictures = Object.keys(first).filter((f) => /\d\.png$/.test(f));
    expect(pictures).toHaveLength(6);
    for (const picture of pictures) expect(second[picture]).toBe(first[picture]);
  });

  it('killed with SIGKILL and started again, redoes only what is missing and ends with the same bytes', async () => {
    const [whole, killed] = [temporary(), temporary()];
    const args = [...QUICK, '--filters', '0-7', '--json'];
    await phosphene([...args, '--out', whole]);
    const dead = await phosphene(
      [...args, '--out', killed],
      (kill, stdout) => (stdout.match(/"picture"/g) ?? []).length >= 3 && kill('SIGKILL'),
    );
    expect(dead.signal).toBe('SIGKILL');
    // As if the kill had come in the middle of a write.
    const set = setIn(killed);
    const cut = join(
      set,
      readdirSync(set).find((f) => /^\d+\.png$/.test(f))!,
    );
    writeFileSync(cut, readFileSync(cut).subarray(0, 2000));
    const again = await phosphene([...args, '--out', killed]);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('"resumed"');
    expect((again.stdout.match(/"event":"picture"/g) ?? []).length).toBeLessThan(8);
    expect(digest(killed)).toEqual(digest(whole));
    expect(files(killed).filter((f) => f.includes('tmp'))).toEqual([]);
  });

  it('on Ctrl-C ends within a second with 130 and keeps finished filters', async () => {
    const out = temporary();
    let asked = 0;
    const { code, stderr } = await phosphene(
      ['render', '--filters', '0-63', '--out', out, '--json'],
      (kill, stdout) => {
        if (asked === 0 && stdout.includes('"picture"')) {
          asked = performance.now();
          kill('SIGINT');
        }
      },
    );
    expect(code).toBe(130);
    expect(performance.now() - asked).toBeLessThan(1000);
    expect(stderr).toContain('kept');
    expect(existsSync(join(out, 'conv3_block4_out'))).toBe(true);
    expect(files(out).filter((f) => f.endsWith('.png')).length).toBeGreaterThan(0);
  });

  it('ends soon while a step takes long', async () => {
    let asked = 0;
    const { signal, stderr } = await phosphene(
      ['render', '--size', '800', '--filters', '0', '--steps', '9', '--out', temporary(), '--json'],
      (kill) => {
        if (asked > 0) return;
        asked = performance.now();
        kill('SIGINT');
      },
    );
    // Half a second by itself; other tests run beside this one, and without the deadline it took several.
    expect(performance.now() - asked).toBeLessThan(2000);
    expect([null, 'SIGINT']).toContain(signal);
    expect(stderr).toMatch(/^stopped; [^\n]*kept[^\n]*\n$/);
  });

  it('stops quietly where the reader of its output leaves, and keeps what is finished', async () => {
    const out = temporary();
    const { code, stdout, stderr } = await inShell([...QUICK, '--filters', '0-7', '--json', '--out', out], '| head -1');
    expect([code, stderr]).toEqual([141, '']);
    expect(stdout).toMatch(/^[^\n]*"ready"[^\n]*\n$/);
    expect(files(setIn(out))).toContain('manifest.json');
    expect(files(out).filter((f) => f.includes('tmp') || f.includes('stitched'))).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')('says that its output cannot be written', async () => {
    const { code, stderr } = await inShell(['layers'], '> /dev/full');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^phosphene: standard output cannot be written: the disk is full \(ENOSPC\)/);
  });

  it('teaches without colour codes where no terminal reads', async () => {
    for (const args of [['--help'], ['render', '-h'], ['layers', '--help']])
      // oxlint-disable-next-line no-control-regex -- It is what must not be there.
      expect((await phosphene(args, undefined, { CI: '', TEST: '', TERM: 'xterm' })).stdout).not.toMatch(/\u001b/);
  });

  it.each([
    ['an unknown command', ['rendr'], 'did you mean `render`'],
    ['an unknown model', ['render', 'resnet5v2'], 'did you mean'],
    ['a missing file', ['render', 'no/such.onnx'], 'no such file'],
    [
      'an unknown layer',
      ['render', '--layer', 'conv3_block4'],
      'layer `conv3_block4` not found in resnet50v2-mini; did you mean `conv3_block4_out`',
    ],
    ['an unknown preset', ['render', '--preset', 'kears'], 'did you mean `keras`'],
    ['an unknown option', ['render', '--fliters', '3'], 'did you mean `--filters`'],
    [
      'a filter out of range',
      ['render', '--filters', '0-512'],
      'filter 512 is out of range: `conv3_block4_out` has 512 channels (0-511)',
    ],
    ['no number', ['render', '--steps', 'many'], '--steps: a whole number from 0 to 1000000 is needed, not `many`'],
    ['a size of zero', ['render', '--size', '0'], '--size'],
    ['a negative size', ['render', '--size', '-5'], '--size'],
    ['an absurd size', ['render', '--size', '60000'], 'pixels can be written'],
    ['a size that needs more memory than there is', ['render', '--size', '12000', '-f', '0'], 'GiB'],
    [
      'a border that leaves nothing',
      ['render', '--size', '60', '--border', '2'],
      '`--border` of at most 1 or a larger `--size`',
    ],
    [
      'a crop that leaves nothing',
      ['render', '--size', '32', '--crop', '16'],
      '--crop: 16 pixels from each side leave nothing of 32×32; choose a crop of at most 15',
    ],
    ['no workers', ['render', '--workers', '0'], '--workers: a whole number from 1 to 1024 is needed, not `0`'],
    ['one dash for two', ['render', '-layer', 'x'], 'option `-layer`: write `--layer`'],
    ['two dashes for one', ['render', '--f', '3'], 'option `--f`: write `-f`'],
    ['an empty value', ['render', '--layer', ''], 'option `--layer`: it needs a value'],
    ['an empty folder', ['render', '--out='], 'option `--out`: it needs a value'],
    ['a value for a flag', ['render', '--quiet=no'], 'option `--quiet=no`: it takes no value; write `--quiet`'],
    ['weights for a model that has its own', ['render', '--weights', 'x.h5'], 'resnet50v2-mini: holds its own weights'],
    ['a grid of too many pixels', ['render', '--margin', '100000000'], 'pixels can be written'],
    ['a negative margin', ['render', '--margin=-1'], '--margin: a whole number from 0 is needed, not `-1`'],
    ['missing weights', ['render', 'resnet50v2', '--weights', 'nowhere.h5'], 'nowhere.h5'],
    ['an output folder inside a file', ['render', '--out', 'package.json/out'], 'package.json'],
  ])('refuses %s with code 2 and leaves nothing behind', async (_, args, message) => {
    const out = join(temporary(), 'out');
    const { code, stderr, stdout } = await phosphene([
      ...args,
      ...(args.includes('--out') || args[0] !== 'render' ? [] : ['--out', out]),
    ]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(existsSync(out)).toBe(false);
  });

  it('refuses a layer without a gradient with code 2, names those that have one, and leaves nothing behind', async () => {
    const folder = temporary();
    writeFileSync(join(folder, 'barred.onnx'), barredFile());
    const args = ['render', join(folder, 'barred.onnx'), '--size', '16', '--crop', '0', '--out', join(folder, 'out')];
    const { code, stderr, stdout } = await phosphene([...args, '--layer', 'last']);
    expect(stderr).toContain(
      'phosphene: ReduceProd sums: there is no gradient rule for this operator; layers up to `first_relu` can still be rendered\n',
    );
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(files(folder)).toEqual(['barred.onnx']);
  });

  it('refuses weights of the wrong kind by what they look like', async () => {
    const out = temporary();
    const page = join(out, 'weights.h5');
    writeFileSync(page, '<!DOCTYPE html><html><body>404</body></html>');
    const { code, stderr } = await phosphene([
      'render',
      'resnet50v2',
      '--weights',
      page,
      '--out',
      join(out, 'pictures'),
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/HTML/i);
    rmSync(out, { recursive: true });
  });
});

describe('phosphene layers', () => {
  it('spells out control characters in the names of a stranger', async () => {
    const b = new Builder();
    const file = join(temporary(), 'escape.onnx');
    writeFileSync(file, encodeOnnx(b.graph([b.relu(b.input('x', 'float32', [1, 3, 8, 8]), 'a\u001b[31m')])));
    const { code, stdout } = await phosphene(['layers', file, '--size', '8']);
    expect(code).toBe(0);
    expect(stdout).toContain('a\\u001b[31m');
    expect(stdout).not.toContain('\u001b');
    const { stderr } = await phosphene(['render', file, '--size', '8', '--layer', 'a']);
    expect(stderr).not.toContain('\u001b');
  });

  it('lists layers with shapes without any weights', async () => {
    const { code, stdout } = await phosphene(['layers', 'resnet50v2', '--json']);
    expect(code).toBe(0);
    const { layers } = JSON.parse(stdout) as {
      layers: { name: string; type: string; dims: number[]; parameters: number; target: boolean }[];
    };
    expect(layers.find((l) => l.name === 'conv3_block4_out')).toMatchObject({ type: 'Add', dims: [512, 12, 12] });
    // keras.applications: ResNet50V2 with its classifier has 25,613,800 parameters.
    expect(layers.reduce((sum, l) => sum + l.parameters, 0)).toBe(25_613_800);
    expect(layers.every((l) => l.target)).toBe(true);
  });

  it('says where the list ends because the rest does not fit this size', async () => {
    const b = new Builder();
    const first = b.relu(b.input('x', 'float32', [1, 3, 8, 8]), 'first');
    const file = join(temporary(), 'pooled.onnx');
    writeFileSync(file, encodeOnnx(b.graph([b.one('MaxPool', [first], { kernel_shape: [3, 3] }, 'pooled')])));
    const whole = await phosphene(['layers', file, '--size', '3']);
    expect([whole.code, whole.stderr]).toEqual([0, '']);
    const short = await phosphene(['layers', file, '--size', '2']);
    expect(short.code).toBe(0);
    expect(short.stdout).not.toContain('\npooled');
    expect(short.stderr).toBe(
      'Not all layers can be built at 2×2. The first that cannot: MaxPool pooled: a window of 3 does not fit an axis of 2; the file is for pictures of 8×8, not 2×2\n',
    );
    const { stdout, stderr } = await phosphene(['layers', file, '--size', '2', '--json']);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({
      layers: [{ name: 'first' }],
      barrier: { code: 'shape', op: 'MaxPool', node: 'pooled', message: expect.stringContaining('does not fit') },
    });
  });

  it('tells which layers can be a target', async () => {
    const file = join(temporary(), 'barred.onnx');
    writeFileSync(file, barredFile());
    const { code, stdout } = await phosphene(['layers', file, '--size', '16', '--all']);
    expect(code).toBe(0);
    expect(
      stdout
        .split('\n')
        .slice(3)
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['layer', 'type', 'output', 'parameters', 'target'],
      ['first', 'Conv', '4×14×14', '108', '4 filters'],
      ['first_relu', 'Relu', '4×14×14', '4 filters'],
      ['sums', 'ReduceProd', '4×14×14', 'no: no gradient'],
      ['last', 'Selu', '4×14×14', 'no: no gradient'],
      [''],
      // The model's own choice is no target.
      ['Filters are rendered with --layer and --filters.'],
      [''],
    ]);
  });
});
