/** @file Every command's table: each option says what it is and what it takes, and each example is one that the command reads. */
import { describe, expect, it } from 'vitest';
import type { AnyCommand } from '../../src/cli/command.ts';
import { animateCommand } from '../../src/cli/animate.ts';
import { flagOf, type Options, readWords } from '../../src/cli/options.ts';
import { dreamCommand } from '../../src/cli/dream.ts';
import { exploreCommand } from '../../src/cli/explore.ts';
import { layersCommand } from '../../src/cli/layers.ts';
import { measureCommand } from '../../src/cli/measure.ts';
import { modelsCommand } from '../../src/cli/models.ts';
import { commands } from '../../src/cli/program.ts';
import { renderCommand } from '../../src/cli/render.ts';
import { sheetCommand } from '../../src/cli/sheet.ts';
import { siteCommand } from '../../src/cli/site.ts';
import { fakeIo, fakeStream, said } from './fake.ts';

/** Words of an example, as a shell has them. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare!);
}

const never = (): Promise<never> => Promise.reject(new Error('not asked'));
/** Made in the test, so that it is its code that makes them. */
const tables: Readonly<Record<string, () => AnyCommand>> = {
  render: () => renderCommand(never),
  sheet: () => sheetCommand(never),
  animate: () => animateCommand(never),
  dream: () => dreamCommand(never),
  layers: () => layersCommand(never),
  models: () => modelsCommand(never),
  measure: () => measureCommand(never),
  explore: () => exploreCommand(never),
  site: () => siteCommand(never),
};

it('all commands are here', () => expect(Object.keys(commands).filter((name) => !(name in tables))).toEqual([]));

describe.each(Object.entries(tables))('%s', (name, make) => {
  const { summary } = commands[name]!;
  it('says what it does, what it takes and how it is written', async () => {
    const { positional, examples, options } = make();
    expect(summary).toMatch(/^(?:[A-Z]|DeepDream)\S* .{12,}[^.]$/);
    expect(positional.name).toMatch(/^[A-Z]{4,}|^OUT MODEL/);
    expect(positional.help.length).toBeGreaterThan(15);
    expect(examples.length).toBeGreaterThan(1);
    for (const [line, help] of examples) {
      expect(help, line).toMatch(/^\S.{3,}[^.]$/);
      const [own, command, ...words] = wordsOf(line.replace(/\$\(.*\)$/, ''));
      expect([own, line.includes('$(') ? 'render' : command], line).toEqual([
        'phosphene',
        line.includes('$(') ? 'render' : name,
      ]);
      const read = line.includes('$(') ? ((await commands['render']!.load()).options as Options) : (options as Options);
      const { positionals } = readWords(words, read);
      if (!line.includes('$(')) expect(positionals.length, line).toBeLessThanOrEqual(positional.most);
    }
  });

  it('has a sentence for each option, and a word for what it takes', () => {
    const options = make().options as Options;
    for (const [key, { setting, value, otherwise, short, section }] of Object.entries(options)) {
      const flag = flagOf(key);
      expect(setting.help, flag).toMatch(/^\S.{5,}[^.]$/s);
      expect(section, flag).toMatch(/^[A-Z][a-z ]+$/);
      if (!setting.alone) expect(value, flag).toMatch(/^[A-Za-z,|…[\]]+$/);
      // What is said of its absence; an empty sentence would stand there as `default: `.
      if (otherwise !== undefined) expect(otherwise, flag).not.toBe('');
      if (short !== undefined) expect(short, flag).toMatch(/^[a-z]$/);
      if (setting.alone) expect(setting.default ?? false, flag).toBe(false);
    }
    const letters = Object.values(options).flatMap(({ short }) => short ?? []);
    expect(new Set(letters).size).toBe(letters.length);
  });

  it('has help in which each of them stands', async () => {
    const command = make();
    const { stdout } = await said([name, '--help'], { [name]: { summary, load: async () => command } });
    const lines = stdout.split('\n');
    const flat = stdout.replaceAll(/\s+/g, ' ');
    expect(flat).toContain(summary);
    for (const [key, { value, short, setting, otherwise }] of Object.entries(command.options as Options)) {
      const written = `${flagOf(key)}${short ? `, -${short}` : ''}${setting.alone ? '' : ` ${value}`} ${setting.help}`;
      expect(flat).toContain(written);
      const term = written.slice(0, -setting.help.length - 1);
      // A long one has a line of its own, and the help of each is in the second column.
      if (term.length > 28) expect(lines).toContain(`  ${term}`);
      else expect(lines.find((line) => line.startsWith(`  ${term}  `))).toContain(setting.help.split(' ')[0]!);
      if (otherwise) expect(flat).toContain(`; default: ${otherwise}`);
    }
    for (const [line, help] of command.examples) expect(flat).toContain(`${line} ${help}`);
  });
});

it('all that read a network say so while they do', async () => {
  const slow = async (): Promise<never> => {
    await new Promise((resolve) => setTimeout(resolve, 1100));
    throw new Error('enough');
  };
  const made = {
    render: renderCommand(async () => slow),
    layers: layersCommand(async () => slow),
    dream: dreamCommand(async () => slow),
    sheet: sheetCommand(async () => slow),
    animate: animateCommand(async () => slow),
  };
  await Promise.all(
    Object.entries(made).map(async ([name, command]) => {
      const entries = { [name]: { summary: '', load: async () => command } };
      const stderr = fakeStream({ isTTY: true, columns: 80 });
      const words = name === 'dream' ? ['photo.jpg', 'a\u202e.onnx'] : ['a\u202e.onnx'];
      await said([name, ...words], entries, fakeIo(fakeStream(), stderr));
      expect(stderr.text(), name).toContain('\r\u001b[2KReading a\\u202e.onnx  1 s\r\u001b[2K');
    }),
  );
});

it('the help of the whole has its parts, and nothing between them', async () => {
  const { stdout } = await said(['--help']);
  const parts = stdout.trimEnd().split('\n\n');
  expect(parts.map((part) => part.split('\n')[0])).toEqual([
    'See what convolutional networks have learnt',
    'Usage: phosphene COMMAND [OPTIONS]',
    'Commands:',
    'Options:',
    'Examples:',
    'Docs: README.md and docs/',
  ]);
  for (const part of parts.slice(2, 5)) for (const line of part.split('\n').slice(1)) expect(line).toMatch(/^ {2}/);
});
