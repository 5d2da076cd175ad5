/**
 * @file What the package exports, read from the declarations that the compiler wrote (`dist/*.d.ts`), which keep the docstrings. The
 * compiler has no interface for programs in this version; its output is regular enough to be read by lines.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A top-level declaration of a file. */
export interface Declaration {
  readonly name: string;
  /** Absolute path of the `.d.ts`. */
  readonly file: string;
  readonly kind: 'function' | 'class' | 'const' | 'interface' | 'type';
  /** All lines but the docstring; the overloads of a function are one. */
  readonly code: string;
  /** The docstring without its stars; empty if there is none. */
  readonly doc: string;
}

interface Module {
  readonly declarations: ReadonlyMap<string, Declaration>;
  /** What names of other files mean here. */
  readonly imports: ReadonlyMap<string, Reference>;
  readonly exports: ReadonlyMap<string, Reference>;
  /** The docstring of the file. */
  readonly doc: string;
}

interface Reference {
  readonly file: string;
  readonly name: string;
}

const modules = new Map<string, Module>();

/** The declarations of one file, read once. */
export function moduleOf(file: string): Module {
  const known = modules.get(file);
  if (known) return known;
  const declarations = new Map<string, Declaration>();
  const imports = new Map<string, Reference>();
  const exports = new Map<string, Reference>();
  const text = readFileSync(file, 'utf8');
  for (const { doc, code } of statements(text)) {
    const from = /from '(\.[^']+)';$/.exec(code)?.[1];
    const target = from && resolve(dirname(file), from.replace(/\.[jt]s$/, '.d.ts'));
    const list = /^(import|export)(?: type)? \{([^}]*)\}/.exec(code);
    const declared =
      /^export (?:declare )?(?:abstract )?(function|class|const|interface|type) (\w+)/.exec(code) ??
      /^(?:declare )?(?:abstract )?(function|class|const|interface|type) (\w+)/.exec(code);
    if (code.startsWith('export * from') && target) {
      for (const [name, reference] of moduleOf(target).exports) exports.set(name, reference);
    } else if (list) {
      for (const entry of list[2]!.split(',')) {
        const [name, as = name] = entry
          .trim()
          .replace(/^type /, '')
          .split(' as ');
        if (!name) continue;
        const reference = { file: target ?? file, name };
        if (list[1] === 'export') exports.set(as!, reference);
        else if (target) imports.set(as!, reference);
      }
    } else if (declared) {
      const [, kind, name] = declared as unknown as [string, Declaration['kind'], string];
      const before = declarations.get(name);
      declarations.set(name, {
        name,
        file,
        kind,
        code: before ? `${before.code}\n${code}` : code,
        doc: before?.doc || doc,
      });
      if (code.startsWith('export ')) exports.set(name, { file, name });
    }
  }
  // The compiler keeps a file's docstring only if a statement follows it that it keeps.
  const source = file.replace(/([\\/])dist([\\/])/, '$1src$2').replace(/\.d\.ts$/, '.ts');
  const head = /^\/\*\*((?:(?!\*\/)[^])*)\*\//.exec(readFileSync(source, 'utf8'))?.[1] ?? '';
  const found = { declarations, imports, exports, doc: unstarred(head) };
  modules.set(file, found);
  return found;
}

/** Where a reference leads, through files that only pass it on. */
function declarationOf({ file, name }: Reference): Declaration | undefined {
  const { declarations, exports, imports } = moduleOf(file);
  const own = declarations.get(name);
  if (own) return own;
  const next = exports.get(name) ?? imports.get(name);
  return next && (next.file !== file || next.name !== name) ? declarationOf(next) : undefined;
}

/** The entry points of package.json: `phosphene/ir` → its declarations by name. */
export function entries(): ReadonlyMap<string, ReadonlyMap<string, Declaration>> {
  return new Map(
    entryFiles().map(([entry, file]) => [
      entry,
      new Map(
        [...moduleOf(file).exports].map(([name, reference]) => {
          const found = declarationOf(reference);
          if (!found) throw new Error(`${entry} exports \`${name}\`, of which ${reference.file} has no declaration`);
          return [name, found];
        }),
      ),
    ]),
  );
}

/** The files that declare the entry points. */
export function entryFiles(): readonly (readonly [entry: string, file: string])[] {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    name: string;
    exports: Record<string, string | { types: string }>;
  };
  return Object.entries(manifest.exports).flatMap(([path, target]) =>
    typeof target === 'string' ? [] : [[join(manifest.name, path), join(root, target.types)] as const],
  );
}

/** The declarations of our own that a declaration mentions. */
export function mentioned({ file, code, name }: Declaration): readonly Declaration[] {
  const { declarations, imports } = moduleOf(file);
  const bare = withoutWords(code);
  const inline = [...code.matchAll(/import\('(\.[^']+)'\)\.(\w+)/g)].map(([, from, other]) => ({
    file: resolve(dirname(file), from!.replace(/\.[jt]s$/, '.d.ts')),
    name: other!,
  }));
  // Names of members and parameters stand before a colon.
  const names = new Set([...bare.matchAll(/(?<![\w.#])([A-Za-z_]\w*)\b(?!\??\s*:)/g)].map(([, word]) => word!));
  names.delete(name);
  const references = [...names].flatMap((word): Reference[] => {
    if (declarations.has(word)) return [{ file, name: word }];
    return imports.has(word) ? [imports.get(word)!] : [];
  });
  return [...references, ...inline].flatMap((reference) => declarationOf(reference) ?? []);
}

/** The examples of a docstring. */
export function examplesOf(doc: string): readonly string[] {
  return doc
    .split(/^@/m)
    .slice(1)
    .flatMap((tag) => (tag.startsWith('example') ? [tag.slice('example'.length).trim()] : []));
}

/** Code without comments and strings. */
function withoutWords(code: string): string {
  return code
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/\/\/[^\n]*/g, '')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`[^`]*`/g, "''");
}

/** The top-level statements of a file, each with the docstring before it. */
function statements(text: string): readonly { readonly doc: string; readonly code: string }[] {
  const found: { doc: string; code: string }[] = [];
  let doc = '';
  let code: string[] = [];
  let comment: string[] | undefined;
  const finish = (): void => {
    if (code.length > 0) {
      found.push({ doc, code: code.join('\n') });
      doc = '';
    }
    code = [];
  };
  for (const line of text.split('\n')) {
    if (comment) {
      comment.push(line);
    } else if (line.startsWith('/**')) {
      finish();
      comment = [line];
    } else if (/^(?:export|import|declare|interface|type|abstract)\b/.test(line)) {
      finish();
      code = [line];
    } else if (code.length > 0 && !line.startsWith('//')) code.push(line);
    if (comment && line.includes('*/')) {
      doc = unstarred(
        comment
          .join('\n')
          .replace(/^\/\*\*/, '')
          .replace(/\*\/.*$/, ''),
      );
      comment = undefined;
    }
  }
  finish();
  return found.map((s) => ({ ...s, code: s.code.trimEnd() }));
}

function unstarred(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
}
