/** @file The page of operators, from the records and the rules. */
import { rules } from '../../src/grad/index.ts';
import { Builder } from '../../src/ir/builder.ts';
import { foreigners, operators, refused } from '../../src/ir/ops/index.ts';
import { build, cases } from '../ir/cases.ts';

const HEAD = `# Operators

<!-- Written by \`npm run docs\` from the records in src/ir/ops and the rules in src/grad. -->

Which operators of ONNX are opened, in which form, and whether a gradient flows back through them.

- 🟢 it has a rule, and the rule is checked against central differences over its attributes
- 🟡 as before, with limits
- ⚪ there is nothing to flow: its output moves in jumps, or is no number
- 🔴 no gradient; layers before it can be rendered

Every operator is taken as operator sets 9 and later define it, and brought up to set 18. Weights are taken for constants: if those of a
convolution or a normalisation depend on the picture, it is refused. An operator that is not in the table is refused by its name, and the
error says which layers can be rendered all the same. Adding one is [a record and a rule](adding.md#an-operator).

| operator | gradient | limits |
|---|---|---|
`;

/** The page. */
export function operatorsPage(): string {
  const rows = [
    ...Object.entries(operators)
      // What it holds is a constant.
      .filter(([op]) => op !== 'Constant')
      .map(([op, { limits, jumps }]): Row => {
        if (jumps === true || !givesNumbers(op)) return [op, '⚪', limits ?? ''];
        // Integers have no gradient, and what was quantised on the way is spelled by other operators.
        if (op === 'DequantizeLinear') return [op, '🟡', limits ?? ''];
        return [op, Object.hasOwn(rules, op) ? (limits ? '🟡' : '🟢') : '🔴', limits ?? ''];
      }),
    ...Object.entries(foreigners).map(([op, { limits, since }]): Row => [
      op,
      limits ? '🟡' : '🟢',
      [...(limits ? [limits] : []), `spelled by others${since === undefined ? '' : `, from set ${since} on`}`].join(
        '; ',
      ),
    ]),
    ...Object.entries(refused).map(([op, why]): Row => [op, '🔴', `refused: ${why}`]),
    [
      'If',
      '🟡',
      'replaced by the side that is taken, if that is known before the picture is; refused otherwise',
    ] as const,
  ];
  const counts = ['🟢', '🟡', '⚪', '🔴'].map((mark) => `${mark} ${rows.filter(([, found]) => found === mark).length}`);
  const line = ([op, mark, limits]: Row): string => `| \`${op}\` | ${mark} | ${limits} |`;
  return `${HEAD}${rows
    .sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
    .map(line)
    .join('\n')}\n\n${counts.join(', ')}: ${rows.length} in all.\n`;
}

type Row = readonly [op: string, mark: string, limits: string];

/** Whether an output can be what a picture flows into: shapes, truths and what is made of nothing but these are not. */
function givesNumbers(op: string): boolean {
  if (op === 'Range' || op === 'ConstantOfShape') return false;
  return (cases[op] ?? []).some((c) => build(new Builder(), op, c)[0]!.dtype.startsWith('float'));
}
