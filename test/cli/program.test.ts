/** @file The command line as a function: commands, help, errors, exit codes, on commands made for the test. */
import { describe, expect, it } from 'vitest';
import { command, type Context, type Entry } from '../../src/cli/command.ts';
import { optional } from '../../src/cli/options.ts';
import { jsonLine, spelled } from '../../src/cli/report.ts';
import { STOPPED } from '../../src/cli/signal.ts';
import { PhospheneError } from '../../src/errors.ts';
import { flag, text, whole } from '../../src/settings.ts';
import { VERSION } from '../../src/version.ts';
import { commands } from '../../src/cli/program.ts';
import { fakeIo, fakeStream, said } from './fake.ts';

const options = {
  json: { setting: flag({ help: 'JSON', default: false }) },
  quiet: { setting: flag({ help: 'Quiet', default: false }), short: 'q' },
  kerasSave: { setting: flag({ help: 'Stretch', default: false }) },
  crop: { setting: whole({ help: 'Crop', default: 25, to: 99 }), value: 'N' },
  size: { setting: optional(text({ help: 'Size' })), otherwise: 'what fits', section: 'Others' },
};

/** One command, `go`, that does what the test says. */
function doing(
  run: (context: Context, given: { readonly crop: number }) => Promise<void> | void,
): Record<string, Entry> {
  const go = command({
    options,
    positional: { name: 'MODEL', help: 'A model', most: 1 },
    examples: [['phosphene go x', 'goes']],
    run: async (given, context) => run(context, given),
  });
  return { go: { summary: 'Goes', load: async () => go } };
}
const throwing = (error: unknown): Record<string, Entry> =>
  doing(() => {
    throw error;
  });

/** The commands as a sentence has them. */
const all = Object.keys(commands)
  .join(', ')
  .replace(/, (\w+)$/, ' and $1');

describe('the command line', () => {
  it.each(['--version', '-v'])('%s says the version', async (word) => {
    expect(await said([word])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  it.each([[[]], [['--help']], [['-h']], [['help']]])('%j lists the commands', async (words) => {
    const { code, stdout, stderr } = await said(words);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Usage: phosphene COMMAND [OPTIONS]');
    expect(stdout).toMatch(/^ {2}render {2,}Pictures of what/m);
    expect(stdout).toMatch(/^ {2}layers {2,}The layers of a model/m);
    expect(stdout).toMatch(/^ {2}--version, -v {2}The version$/m);
  });

  it.each([[['help', 'go']], [['go', '--help']], [['go', '-h']], [['go', '--wrong', '--help', 'x', 'y']]])(
    '%j is the help of the command',
    async (words) => {
      const ran: unknown[] = [];
      const { code, stdout, stderr } = await said(
        words,
        doing((c) => void ran.push(c)),
      );
      expect([code, stderr, ran]).toEqual([0, '', []]);
      expect(stdout).toBe(
        [
          'Goes',
          '',
          'Usage: phosphene go [MODEL] [OPTIONS]',
          '',
          '  MODEL  A model',
          '',
          'Options:',
          '  --json        JSON',
          '  --quiet, -q   Quiet',
          '  --keras-save  Stretch',
          '  --crop N      Crop (a whole number from 0 to 99); default: 25',
          '',
          'Others:',
          '  --size TEXT  Size; default: what fits',
          '',
          'Examples:',
          '  phosphene go x  goes',
          '',
        ].join('\n'),
      );
    },
  );

  it('wraps its help at the width of the terminal', async () => {
    const io = fakeIo(fakeStream({ columns: 60 }));
    const { stdout } = await said(['render', '--help'], undefined, io);
    for (const line of stdout.split('\n').filter((l) => !l.startsWith('  phosphene')))
      expect(line.length).toBeLessThanOrEqual(60);
  });

  it.each([
    [['rendr'], 'command `rendr` is not known; did you mean `render`?'],
    [['xyz'], `command \`xyz\` is not known; there are ${all}`],
    [['help', 'rendr'], 'command `rendr` is not known; did you mean `render`?'],
    [['toString'], `command \`toString\` is not known; there are ${all}`],
    [['--json'], `\`--json\`: a command comes first; there are ${all}`],
    [['layers', 'a', 'b'], '`b` is one MODEL too many; give one at a time, and quote what holds spaces'],
    [['render', '--workers', '0'], '--workers: a whole number from 1 to 1024 is needed, not `0`'],
    [['render', '--mean', 'x'], '--mean: one number, or one for each channel with commas between, is needed, not `x`'],
    [
      ['render', '--preprocess', 'torch', '--bgr'],
      '--preprocess: `--bgr` says it in another way; give `--preprocess`, or `--range`, `--mean`, `--std` and `--bgr`',
    ],
  ])('%j is refused with code 2', async (words, message) => {
    const { code, stdout, stderr } = await said(words);
    expect([code, stderr]).toEqual([2, `phosphene: ${message}\n`]);
    expect(stdout === '' || words.includes('--json')).toBe(true);
  });

  it('runs a command with its options, its words, its streams', async () => {
    const entries = doing(async ({ positionals, print, note, signal }, { crop }) => {
      await print(`${positionals.join()} ${crop} ${signal.aborted}\n`);
      note('a sentence');
    });
    expect(await said(['go', 'model', '--crop=3'], entries)).toEqual({
      code: 0,
      stdout: 'model 3 false\n',
      stderr: 'a sentence\n',
    });
    for (const quiet of ['--quiet', '-q', '--json'])
      expect(await said(['go', quiet], entries)).toEqual({ code: 0, stdout: ' 25 false\n', stderr: '' });
  });

  it('shows progress on a terminal, and none under --quiet or --json', async () => {
    const entries = doing(async ({ progress }) => {
      progress.show({ key: 'a', label: 'Working' });
      await new Promise((resolve) => setTimeout(resolve, 450));
      progress.show({ key: 'a', label: 'Working' });
    });
    const on = async (...words: string[]): Promise<string> =>
      (await said(['go', ...words], entries, fakeIo(fakeStream(), fakeStream({ isTTY: true })))).stderr;
    const [loud, ...quiet] = await Promise.all([on(), on('--quiet'), on('--json')]);
    expect(loud).toBe('\r\u001b[2KWorking  0 s\r\u001b[2K');
    expect(quiet).toEqual(['', '']);
  });

  it('listens to Ctrl-C while a command runs, and no longer', async () => {
    const io = fakeIo();
    const entries = doing(({ signal }) => {
      expect(io.raise('SIGINT')).toBe(1);
      expect(signal.aborted).toBe(true);
      throw new PhospheneError('aborted', 'it was stopped');
    });
    expect(await said(['go'], entries, io)).toEqual({ code: 130, stdout: '', stderr: STOPPED });
    expect(io.raise('SIGINT')).toBe(0);
  });
});

describe('errors', () => {
  it("of ours are a sentence and code 2, with strangers' characters spelled out", async () => {
    const error = new PhospheneError('bad-file', 'a\u202e\nb: not a model', { path: 'a' });
    expect(await said(['go'], throwing(error))).toEqual({
      code: 2,
      stdout: '',
      stderr: 'phosphene: a\\u202e\\u000ab: not a model\n',
    });
  });

  it('of ONNX Runtime have their cause and code 1', async () => {
    const error = new PhospheneError('runtime', 'it failed', {}, new Error('deep\u001b\nwithin'));
    const { code, stderr } = await said(['go'], throwing(error));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^phosphene: it failed\nError: deep\\u001b\nwithin\n/);
    expect((await said(['go'], throwing(new PhospheneError('runtime', 'x')))).stderr).toBe('phosphene: x\n');
    expect((await said(['go'], throwing(new PhospheneError('runtime', 'x', {}, { y: 1 })))).stderr).toContain(
      '{"y":1}',
    );
  });

  it('that nobody foresaw are a bug of ours and code 1', async () => {
    const { code, stderr } = await said(['go'], throwing(new TypeError('x is undefined')));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^phosphene: this is a bug of ours: TypeError: x is undefined\n {4}at /);
    expect((await said(['go'], throwing('text'))).stderr).toBe('phosphene: this is a bug of ours: text\n');
  });

  it('are a line of JSON under --json too', async () => {
    const error = new PhospheneError('bad-option', 'crop: 25 is too much', { option: 'crop', size: [1, 2] });
    const { code, stdout, stderr } = await said(['go', '--json'], throwing(error));
    expect([code, stderr]).toEqual([2, 'phosphene: --crop: 25 is too much\n']);
    expect(stdout).toBe(
      '{"event":"error","code":"bad-option","message":"--crop: 25 is too much","details":{"option":"crop","size":[1,2]}}\n',
    );
    const bug = await said(['go', '--json'], throwing(new TypeError('oh')));
    expect(JSON.parse(bug.stdout)).toEqual({ event: 'error', code: 'internal', message: 'oh', details: {} });
    const stopped = await said(['go', '--json'], throwing(new PhospheneError('aborted', 'it was stopped')));
    expect([stopped.code, JSON.parse(stopped.stdout)]).toMatchObject([
      130,
      { code: 'aborted', message: 'it was stopped' },
    ]);
    expect(
      JSON.parse(
        (
          await said(
            ['go', '--json', '--wrong'],
            doing(() => {}),
          )
        ).stdout,
      ),
    ).toMatchObject({ code: 'bad-option' });
    expect(
      (
        await said(
          ['go', '--wrong', '--', '--json'],
          doing(() => {}),
        )
      ).stdout,
    ).toBe('');
  });

  it('of words say which word', async () => {
    const of = async (...words: string[]): Promise<unknown> =>
      (JSON.parse((await said([...words, '--json'])).stdout) as { details: unknown }).details;
    expect(await of('layers', 'a', 'b')).toEqual({ word: 'b' });
    expect(await of('layers', '--wrong')).toEqual({ word: '--wrong' });
    expect(await of('layers', '--size=')).toEqual({ word: '--size' });
    expect(await of('rendr')).toEqual({ known: Object.keys(commands) });
  });

  it('of a reader that has gone are silence and code 141', async () => {
    const gone = Object.assign(new Error('EPIPE'), { code: 'EPIPE' });
    const io = fakeIo(fakeStream({ error: gone }));
    const entries = doing(({ print }) => print('x'));
    expect([(await said(['go'], entries, io)).code, io.stderr.text()]).toEqual([141, '']);
  });

  it('of a full disk are a sentence', async () => {
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    const io = fakeIo(fakeStream({ error: full }));
    const { code, stderr } = await said(
      ['go', '--json'],
      doing(({ print }) => print('x')),
      io,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/^phosphene: standard output cannot be written: the disk is full \(ENOSPC\)/);
  });

  it('name options as they are written', () => {
    const of = (message: string, details: Record<string, unknown>): string =>
      spelled(new PhospheneError('bad-option', message, details), options);
    expect(of('crop: too much', { option: 'crop' })).toBe('--crop: too much');
    expect(of('crop: too much', {})).toBe('crop: too much');
    expect(of('crop: too much', { option: 'elsewhere' })).toBe('crop: too much');
    expect(of('height: too much', { option: 'height' })).toBe('--size: too much');
    expect(of('kerasSave: no', { option: 'kerasSave' })).toBe('--keras-save: no');
    expect(of('choose a smaller `size`, or `crop`; not `other`', { option: ['size', 'crop'] })).toBe(
      'choose a smaller `--size`, or `--crop`; not `other`',
    );
    expect(of('crop: too much', { option: 'crop', suggestion: { crop: 0, other: 1 } })).toBe(
      '--crop: too much; try --crop 0',
    );
    expect(of('nothing fits', { suggestion: { size: 224, crop: 0 } })).toBe('nothing fits; try --size 224 --crop 0');
  });

  it('whatever their details hold, are JSON', () => {
    const circle: Record<string, unknown> = { n: 1n, e: new Error('why') };
    circle['self'] = circle;
    const twice = { a: 1 };
    expect(jsonLine({ circle, pair: [twice, twice] })).toBe(
      '{"circle":{"n":"1","e":"why","self":"[circular]"},"pair":[{"a":1},{"a":1}]}\n',
    );
  });
});
