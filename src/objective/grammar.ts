/** @file Objectives as text: `mixed4a:12 - 0.5*mixed4a:99 + tv(0.1)`. What is printed is read back as the same spec. docs/objectives.md. */
import { didYouMean, PhospheneError } from '../errors.ts';
import type { Schema, Setting } from '../settings.ts';
import { bareName, numericName, productText, quoted, quotedLayer, sumText } from './text.ts';

/** What the grammar needs to know of the kinds: their names, and their settings in the order of their arguments. */
export interface Kinds {
  readonly kinds: Readonly<Record<string, { readonly settings: Schema; readonly help: string }>>;
  /** Checks a spec. Throws `bad-option`. */
  complete(spec: never): unknown;
}

/** An objective as data, as far as the grammar sees it. */
export type AnySpec = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** Objectives that are put together of others. */
const combinators: Readonly<Record<string, readonly string[]>> = {
  interpolate: ['from', 'to'],
  picture: ['picture', 'objective'],
};

/** Brackets within brackets; no objective has so many. */
const DEEPEST = 100;
/** Characters of a text. */
const LONGEST = 1 << 16;

/** An argument of a function: what was written, and where. */
interface Argument {
  readonly at: number;
  readonly value:
    | { readonly type: 'text'; readonly text: string }
    | { readonly type: 'number'; readonly text: string }
    | { readonly type: 'list'; readonly numbers: readonly number[] }
    | { readonly type: 'objective'; readonly spec: AnySpec };
}

/**
 * The spec that a text describes: of each term what is said of it, the rest being left to defaults.
 *
 * ```text
 * sum      = ['-'] product {('+' | '-') product}
 * product  = factor {('*' | '/') factor}           numbers are weights; '/' is by a number
 * factor   = number | '(' sum ')' | '-' factor | channel | function
 * channel  = name ':' whole ['[' whole ',' whole ']']
 * function = kind '(' [argument {',' argument}] ')'
 * argument = [setting '='] (number | name | channel | '[' number {',' number} ']' | sum)
 * name     = letters, digits, '_', '.', '/' | quoted
 * ```
 *
 * Throws `bad-option` that says where the text goes wrong and what could stand there.
 */
export function parse(table: Kinds, text: string): AnySpec {
  const { kinds } = table;
  let at = 0;
  let depth = 0;

  const fail = (why: string, where = at): PhospheneError => {
    const found =
      where >= text.length ? 'at the end' : `at \`${text.slice(where, where + 12)}\` (character ${where + 1})`;
    return new PhospheneError('bad-option', `objective \`${shortened(text)}\`: ${found}: ${why}`, {
      option: 'objective',
      text,
      at: where,
    });
  };
  const skip = (): void => {
    while (at < text.length && /\s/.test(text[at]!)) at++;
  };
  const peek = (token: string): boolean => {
    skip();
    return text.startsWith(token, at);
  };
  const take = (token: string): boolean => {
    const found = peek(token);
    if (found) at += token.length;
    return found;
  };
  const match = (pattern: RegExp): string | undefined => {
    skip();
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const number = (): string | undefined => match(/(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y);
  const signed = (): string | undefined => {
    const begin = at;
    const sign = take('-') ? '-' : '';
    const found = number();
    if (found === undefined) at = begin;
    return found === undefined ? undefined : sign + found;
  };
  const whole = (what: string): number => {
    skip();
    const begin = at;
    const found = number();
    if (found === undefined || !/^\d+$/.test(found)) throw fail(`${what} is needed, a whole number from 0`, begin);
    return Number(found);
  };
  const string = (): string | undefined => {
    skip();
    const begin = at;
    const quote = text[at];
    if (quote !== "'" && quote !== '"') return undefined;
    let value = '';
    for (at++; at < text.length; at++) {
      if (text[at] === quote) {
        at++;
        return value;
      }
      if (text[at] === '\\' && at + 1 < text.length) at++;
      value += text[at];
    }
    throw fail(`the quote ${quote} is not closed`, begin);
  };
  /** A name, quoted or not, or digits before a colon. */
  const name = (): string | undefined => string() ?? match(numericName) ?? match(bareName);
  const expect = (token: string, why: string): void => {
    if (!take(token)) throw fail(why);
  };

  /** What stands for a number or an objective. */
  type Operand = number | AnySpec;

  const sum = (): Operand => {
    if (++depth > DEEPEST) throw fail(`more than ${DEEPEST} brackets in each other`);
    const begin = at;
    const terms: { readonly weight: number; readonly objective?: AnySpec; readonly at: number }[] = [];
    let sign = take('-') ? -1 : 1;
    do {
      skip();
      const start = at;
      terms.push({ ...product(sign), at: start });
      sign = peek('-') ? -1 : 1;
    } while (take('+') || take('-'));
    depth--;
    const constant = terms.find((term) => term.objective === undefined);
    if (terms.length === 1) return constant ? constant.weight : weightedSpec(terms[0]!.weight, terms[0]!.objective!);
    if (constant)
      throw fail('a number alone raises nothing; multiply it with an objective, or leave it out', constant.at ?? begin);
    return { kind: 'sum', terms: terms.map(({ weight, objective }) => ({ weight, objective: objective! })) };
  };

  const product = (sign: number): { weight: number; objective?: AnySpec } => {
    let weight = sign;
    const factors: AnySpec[] = [];
    let divides = false;
    for (;;) {
      skip();
      const start = at;
      const one = factor();
      if (typeof one !== 'number') {
        if (divides) throw fail('an objective is divided by numbers only', start);
        factors.push(one);
      } else {
        if (divides && one === 0) throw fail('division by zero', start);
        weight = divides ? weight / one : weight * one;
      }
      if (!Number.isFinite(weight)) throw fail('the weight is too large for a number', start);
      if (take('*')) divides = false;
      else if (take('/')) divides = true;
      else break;
    }
    if (factors.length === 0) return { weight };
    return { weight, objective: factors.length === 1 ? factors[0]! : { kind: 'product', factors } };
  };

  const factor = (): Operand => {
    skip();
    if (take('-')) {
      if (++depth > DEEPEST) throw fail(`more than ${DEEPEST} signs after each other`);
      const one = factor();
      depth--;
      return typeof one === 'number' ? -one : weightedSpec(-1, one);
    }
    if (take('(')) {
      const inner = sum();
      expect(')', 'a `)` is needed, or an operator');
      return inner;
    }
    const start = at;
    const numeric = match(numericName);
    if (numeric !== undefined) return channel(numeric, start);
    const literal = number();
    if (literal !== undefined) return Number(literal);
    const isQuoted = peek("'") || peek('"');
    const found = name();
    if (found === undefined)
      throw fail('a channel is needed, such as `mixed4a:12`, a function, such as `tv(0.1)`, or a number');
    if (!isQuoted && peek('(')) return call(found, start);
    if (peek(':')) return channel(found, start);
    if (Object.hasOwn(kinds, found) || Object.hasOwn(combinators, found))
      throw fail(`\`${found}\` needs its arguments in brackets: ${usage(found)}`, start);
    const written = quoted(found);
    throw fail(
      `a layer alone is no objective; write \`${written}:0\` for a channel of it, or \`layer(${written})\` for all of it`,
      start,
    );
  };

  const channel = (layer: string, start: number): AnySpec => {
    expect(':', 'a `:` is needed, and the number of a channel');
    if (layer === '') throw fail('the name of the layer is empty', start);
    const index = whole('the number of a channel');
    if (!take('[')) return checked({ kind: 'channel', layer, channel: index }, start);
    const row = whole('the row of a position');
    expect(',', 'a `,` is needed, and the column of the position');
    const column = whole('the column of a position');
    expect(']', 'a `]` is needed');
    return checked({ kind: 'neuron', layer, channel: index, row, column }, start);
  };

  const usage = (kind: string): string =>
    `\`${kind}(${(combinators[kind] ?? Object.keys(kinds[kind]!.settings)).join(', ')})\``;

  const call = (kind: string, start: number): AnySpec => {
    const own = Object.hasOwn(combinators, kind);
    if (!own && !Object.hasOwn(kinds, kind)) {
      const known = [...Object.keys(kinds), ...Object.keys(combinators)];
      throw fail(
        `there is no function \`${kind}\`${didYouMean(kind, known) || `; there are ${known.join(', ')}`}`,
        start,
      );
    }
    expect('(', 'a `(` is needed');
    const settings = own ? combinators[kind]! : Object.keys(kinds[kind]!.settings);
    const given = new Map<string, unknown>();
    const put = (setting: string, value: unknown, where: number): void => {
      if (given.has(setting)) throw fail(`\`${setting}\` of \`${kind}\` is given twice`, where);
      given.set(setting, value);
    };
    let named = false;
    for (let first = true; !take(')'); first = false) {
      if (!first) expect(',', 'a `,` or a `)` is needed');
      skip();
      const where = at;
      const setting = match(/[\p{L}_]\w*(?=\s*=)/uy);
      if (setting !== undefined) {
        named = true;
        if (!settings.includes(setting))
          throw fail(
            `\`${kind}\` has no \`${setting}\`${didYouMean(setting, settings) || `; it has ${settings.join(', ')}`}`,
            where,
          );
        expect('=', 'a `=` is needed');
      } else if (named) throw fail('after an argument with a name, all others need theirs', where);
      const target = setting ?? settings.find((s) => !given.has(s));
      if (target === undefined) throw fail(`too many arguments; it is ${usage(kind)}`, where);
      if (own) {
        put(target, kind === 'picture' && target === 'picture' ? whole('the number of a picture') : objective(), where);
        continue;
      }
      const argument = argumentOf(kinds[kind]!.settings, target);
      if (argument.value.type !== 'objective') {
        put(target, valueOf(argument, kinds[kind]!.settings[target]!), where);
        continue;
      }
      // `neuron(mixed4a:12)`: two settings at once.
      const { layer, channel: index } = argument.value.spec;
      if (target !== 'layer' || !settings.includes('channel'))
        throw fail(`\`${target}\` of \`${kind}\` is not one channel of a layer; it is ${usage(kind)}`, where);
      put('layer', layer, where);
      put('channel', index, where);
    }
    if (own) {
      const missing = settings.find((s) => !given.has(s));
      if (missing !== undefined) throw fail(`\`${missing}\` is missing; it is ${usage(kind)}`, start);
    }
    return checked({ kind, ...Object.fromEntries(given) }, start);
  };

  /** The argument for a setting: a list, a number or a name; or a channel of a layer, for two settings. */
  const argumentOf = (settings: Schema, target: string): Argument => {
    skip();
    const start = at;
    if (take('[')) {
      const numbers: number[] = [];
      while (!take(']')) {
        if (numbers.length > 0) expect(',', 'a `,` or a `]` is needed');
        const one = signed();
        if (one === undefined) throw fail('a number is needed');
        numbers.push(Number(one));
      }
      return { at: start, value: { type: 'list', numbers } };
    }
    if (target === 'layer' || settings[target]!.parse('text') === 'text') {
      const found = name() ?? signed();
      if (found === undefined) throw fail(`\`${target}\` is needed: ${settings[target]!.takes}`);
      if (!peek(':')) return { at: start, value: { type: 'text', text: found } };
      const spec = channel(found, start);
      if (spec.kind !== 'channel') throw fail('a position is written `row=3, column=4` here', start);
      return { at: start, value: { type: 'objective', spec } };
    }
    const found = signed() ?? match(bareName);
    if (found === undefined) throw fail(`\`${target}\` is needed: ${settings[target]!.takes}`);
    return { at: start, value: { type: 'number', text: found } };
  };

  const valueOf = ({ at: where, value }: Argument, setting: Setting<unknown>): unknown => {
    const found =
      value.type === 'list' ? value.numbers : value.type === 'objective' ? undefined : setting.parse(value.text);
    const accepted = setting.accept(found);
    if (accepted === undefined) throw fail(`${setting.takes} is needed`, where);
    return accepted;
  };

  const objective = (): AnySpec => {
    skip();
    const start = at;
    const found = sum();
    if (typeof found === 'number') throw fail('an objective is needed, and this is a number', start);
    return found;
  };

  /** A term whose settings are all right. */
  const checked = (spec: AnySpec, start: number): AnySpec => {
    if (Object.hasOwn(combinators, spec.kind)) return spec;
    try {
      table.complete(spec as never);
    } catch (error) {
      if (!(error instanceof PhospheneError)) throw error;
      throw fail(`${spec.kind}: ${error.message}; it is ${usage(spec.kind)}`, start);
    }
    return spec;
  };

  if (text.length > LONGEST) throw fail(`a text has at most ${LONGEST} characters`, 0);
  const found = objective();
  skip();
  if (at < text.length) throw fail('an operator is needed here, or nothing');
  return found;
}

/** A weighted objective; of weight one, the objective itself. */
function weightedSpec(weight: number, objective: AnySpec): AnySpec {
  return weight === 1 ? objective : { kind: 'sum', terms: [{ weight, objective }] };
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** The text of a spec. What a setting has by default is left out. */
export function print(table: Kinds, spec: AnySpec): string {
  const inner = (of: unknown): string => print(table, of as AnySpec);
  switch (spec.kind) {
    case 'sum':
      return sumText(
        (spec['terms'] as readonly { readonly weight: number; readonly objective: AnySpec }[]).map((term) => ({
          weight: term.weight,
          text: inner(term.objective),
        })),
      );
    case 'product':
      return productText((spec['factors'] as readonly AnySpec[]).map(inner));
    case 'interpolate':
      return `interpolate(${inner(spec['from'])}, ${inner(spec['to'])})`;
    case 'picture':
      return `picture(${spec['picture'] as number}, ${inner(spec['objective'])})`;
  }
  const { settings } = table.kinds[spec.kind]!;
  const said = Object.entries(settings).filter(
    ([name, setting]) =>
      spec[name] !== undefined && JSON.stringify(spec[name]) !== JSON.stringify(setting.default as unknown),
  );
  const has = (...names: readonly string[]): boolean =>
    names.every((name) => spec[name] !== undefined) &&
    said.every(([name]) => name === 'channel' || names.includes(name));
  const reference = (): string =>
    `${quotedLayer(spec['layer'] as string)}:${(spec['channel'] as number | undefined) ?? 0}`;
  if (spec.kind === 'channel' && has('layer')) return reference();
  if (spec.kind === 'neuron' && has('layer', 'row', 'column'))
    return `${reference()}[${spec['row'] as number},${spec['column'] as number}]`;
  const isUnit = Object.hasOwn(settings, 'layer') && Object.hasOwn(settings, 'channel') && spec['layer'] !== undefined;
  const names = Object.keys(settings).filter((name) => !(isUnit && name === 'channel'));
  let positional = true;
  const words = names.flatMap((name) => {
    const isSaid = said.some(([one]) => one === name);
    const setting = settings[name]!;
    // What must be given needs no name, and neither does a weight.
    positional &&= isSaid && (setting.default === '' || name === 'weight');
    if (!isSaid) return [];
    const value = isUnit && name === 'layer' ? reference() : written(spec[name]);
    return [positional ? value : `${name}=${value}`];
  });
  return `${spec.kind}(${words.join(', ')})`;
}

function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  return typeof value === 'string' ? quoted(value) : String(value);
}
