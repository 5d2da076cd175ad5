/** @file phosphene layers: what there is to see in a model. */
import { defineCommand } from 'citty';
import { openModel } from '../hub/open.ts';
import { defaultSize } from '../import/network.ts';
import { targets } from '../render/targets.ts';
import { parseSize } from './parse.ts';
import { print, printable } from './print.ts';
import { modelArgs } from './shared.ts';

export default defineCommand({
  meta: {
    name: 'layers',
    description:
      "A model's layers in order: type, output (channels x height x width), parameters, and which can be a target",
  },
  args: modelArgs,
  async run({ args }) {
    const model = await openModel(args.model);
    const size = parseSize(args.size) ?? defaultSize(model.input, { height: 180, width: 180 });
    const { layers, barrier } = model.layers(size);
    const possible = new Set(targets(model, size).map((l) => l.name));
    const rows = layers.map((l) => ({ ...l, dims: l.dims.slice(1), target: possible.has(l.name) }));
    if (args.json) {
      const end = barrier && { barrier: { code: barrier.code, message: barrier.message, ...barrier.details } };
      await print(`${JSON.stringify({ model: model.name, layers: rows, ...end }, undefined, 1)}\n`);
      return;
    }
    const table = [
      ['layer', 'type', 'output', 'parameters', 'target'],
      ...rows.map((r) => [
        printable(r.name),
        printable(r.type),
        r.dims.join('×'),
        r.parameters === 0 ? '' : r.parameters.toLocaleString('en'),
        r.target ? 'yes' : 'no',
      ]),
    ];
    const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
    const lines = table.map((row) =>
      row
        .map((cell, i) => (i === 3 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    );
    await print(`${lines.join('\n')}\n`);
    if (barrier) {
      const remedy = barrier.code === 'shape' ? '; another --size may fit' : '';
      process.stderr.write(
        `The list ends here at ${size.height}×${size.width}: ${printable(barrier.message)}${remedy}\n`,
      );
    }
  },
});
