/** @file The nodes of an ONNX file through the Builder, at one size: each as our operator set spells it, as far as they can be built. */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../../ir/builder.ts';
import type { Node } from '../../ir/graph.ts';
import { upgraded } from '../../ir/infer.ts';
import { type Built, type BuiltLayer, IMAGE } from '../network.ts';
import type { Body, Sides } from './body.ts';

/** What is there before the first node. */
export interface Before {
  /** The operator set of the file. */
  readonly opset: number;
  /** The values of inputs, by their names. */
  readonly given: ReadonlyMap<string, Value>;
  /** Why others cannot be had. */
  readonly missing?: ReadonlyMap<string, PhospheneError>;
  /** Other names of layers, by the name of their node's first output. */
  readonly paths?: ReadonlyMap<string, string>;
}

/** Adds a graph to a builder. A node that cannot be built bars those that need it, and no others. Throws `bad-file`. */
export function replayed(
  b: Builder,
  body: Body,
  { opset, given, missing: absent, paths }: Before,
): Built & { readonly values: ReadonlyMap<string, Value> } {
  const values = new Map(given);
  const layers: BuiltLayer[] = [];
  const barred = new Map<string, PhospheneError>();
  /** Constants of the graph, and of the side of an If that is being built. */
  const known = new Map(body.constants);
  /** Why a value cannot be had, by its name. */
  const missing = new Map(absent);
  const resolve = (input: string): Value | undefined => {
    if (input === '') return undefined;
    const found = values.get(input);
    if (found) return found;
    // That each is given was seen when the nodes were put in order.
    const stored = known.get(input)!;
    const value = b.constant(stored, input);
    values.set(input, value);
    return value;
  };
  const bar = (node: Node, why: PhospheneError): void => {
    for (const output of node.outputs) missing.set(output, why);
    const output = node.outputs.find((o) => o !== '')!;
    barred.set(output, why);
    const path = paths?.get(output);
    if (path !== undefined && !barred.has(path)) barred.set(path, why);
  };
  let spent: PhospheneError | undefined;
  const add = ({ nodes: list, sides }: Body): void => {
    for (const node of list) {
      // What needs nothing of a node that cannot be built can still be seen. Once a budget is spent, nothing more is tried.
      const inherited = spent ?? missing.get(node.inputs.find((i) => missing.has(i)) ?? '');
      if (inherited) {
        bar(node, inherited);
        continue;
      }
      const branches = sides.get(node);
      if (branches) {
        choose(node, branches);
        continue;
      }
      let out: Value[];
      const inputs = node.inputs.map(resolve);
      try {
        out = upgraded(b, node, opset, inputs);
      } catch (error) {
        if (!(error instanceof PhospheneError) || error.code === 'bad-file') throw error;
        if (error.code === 'too-large') spent = error;
        bar(node, error);
        continue;
      }
      node.outputs.forEach((o, i) => o !== '' && out[i] && values.set(o, out[i]));
      const path = paths?.get(node.outputs[0]!);
      const weights = inputs.slice(1).flatMap((v) => (v ? [v] : []));
      let first = true;
      for (const [i, output] of node.outputs.entries()) {
        const value = out[i];
        // What a node gives beside pictures, for example where a maximum was found, is nothing to see.
        if (output === '' || !value || !(first || value.dtype === 'float32')) continue;
        layers.push({
          // One name is taken: that of the picture.
          name: output === IMAGE ? value.name : output,
          ...(path === undefined || !first ? {} : { path }),
          ...(node.name === '' || node.name === output || !first ? {} : { node: node.name }),
          type: node.op,
          value,
          weights: first ? weights : [],
        });
        first = false;
      }
    }
  };
  /** The side of an If that this size takes. Its names are its own: they are forgotten behind it. */
  const choose = (node: Node, { yes, no }: Sides): void => {
    const condition = resolve(node.inputs[0] ?? '')?.constant;
    if (condition?.data.length !== 1) {
      bar(node, unknownBranch(node));
      return;
    }
    const side = Number(condition.data[0]) === 0 ? no : yes;
    const own = new Set([...side.constants.keys(), ...side.nodes.flatMap(({ outputs }) => outputs)]);
    const tables = [values, known, missing] as readonly Map<string, unknown>[];
    const around = tables.map((table) => [...own].map((key) => [key, table.get(key)] as const));
    for (const table of tables) for (const key of own) table.delete(key);
    for (const [key, constant] of side.constants) known.set(key, constant);
    add(side);
    const results = node.outputs.map((_, i) => {
      const result = side.outputs[i] ?? '';
      if (missing.has(result)) return missing.get(result)!;
      return values.has(result) || known.has(result) ? resolve(result)! : unknownBranch(node);
    });
    tables.forEach((table, i) => {
      for (const [key, found] of around[i]!) {
        if (found === undefined) table.delete(key);
        else table.set(key, found);
      }
    });
    node.outputs.forEach((output, i) => {
      const result = results[i]!;
      if (result instanceof PhospheneError) missing.set(output, result);
      else values.set(output, result);
    });
    const [output, result] = [node.outputs[0]!, results[0]!];
    if (result instanceof PhospheneError) barred.set(output, result);
    else layers.push({ name: output, type: node.op, value: result, weights: [] });
  };
  add(body);
  return { layers, barred, values };
}

/** What is said of an If that takes one side or the other with the picture. */
function unknownBranch({ op, name }: Node): PhospheneError {
  return new PhospheneError(
    'unsupported-op',
    `${op} ${name}: which of its two sides is taken is not known before the picture is; only networks without control flow are supported; export the network by tracing it`,
    { op, node: name },
  );
}
