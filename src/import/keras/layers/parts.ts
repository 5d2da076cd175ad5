/** @file Keras operations that take parts of a value and put parts together: `x[..., ::-1]`, for example, and what undoes it. */
import type { PhospheneError } from '../../../errors.ts';
import type { Builder, Value } from '../../../ir/builder.ts';
import { toNumbers } from '../../../ir/tensor.ts';
import { isRecord } from '../../json.ts';
import { inKerasOrder, type KerasLayer, type LayerContext, only, ourAxis, unsupported } from '../layer.ts';

/** One part that is taken along an axis: a position, or those from `start` to `stop` in steps. */
type Taken = number | { readonly start: number | null; readonly stop: number | null; readonly step: number | null };

/** What `x[…]` takes along each axis of Keras' order. Throws `unsupported-op` for what is neither position, range nor `...`. */
function takenOf(context: LayerContext, rank: number): readonly Taken[] {
  const { parts } = context.config;
  const refused = (): PhospheneError =>
    unsupported(context, `it takes the parts ${JSON.stringify(parts)} of its input`);
  const list = isRecord(parts) && Array.isArray(parts['items']) ? (parts['items'] as unknown[]) : [parts].flat();
  const end = (v: unknown): number | null => {
    if (v === null || v === undefined || Number.isSafeInteger(v)) return (v as number | undefined) ?? null;
    throw refused();
  };
  const found = list.map((part): Taken | '...' => {
    if (Number.isSafeInteger(part)) return part as number;
    if (!isRecord(part)) throw refused();
    if (part['class_name'] === '__ellipsis__') return '...';
    const { start, stop, step } = isRecord(part['config']) ? part['config'] : part;
    return { start: end(start), stop: end(stop), step: end(step) };
  });
  const all: Taken = { start: null, stop: null, step: null };
  const at = found.indexOf('...');
  const open = Math.max(0, rank - found.length + (at < 0 ? 0 : 1));
  const whole = Array.from({ length: open }, () => all);
  const taken = at < 0 ? [...found, ...whole] : [...found.slice(0, at), ...whole, ...found.slice(at + 1)];
  if (taken.length !== rank || taken.includes('...')) throw refused();
  return taken as readonly Taken[];
}

/** `x[..., 0]`, `x[..., ::-1]`, `x[:, 2:-2]`: parts of a value along its axes. Those of which one position is taken are gone. */
const GetItem: KerasLayer = (context) => {
  const { b, name } = context;
  const x = only(context);
  const rank = x.dims.length;
  const taken = takenOf(context, rank);
  const single = taken.flatMap((t, axis) => (typeof t === 'number' ? [axis] : []));
  const [first] = taken;
  if (typeof first === 'number' || first?.start !== null || first.stop !== null || first.step !== null)
    throw unsupported(context, 'it takes parts of the batch');
  // Without its channels, the axes of a picture stand as in Keras.
  const isPlain = single.length === 0 || (single.length === 1 && ourAxis(context, single[0]!, rank) === 1);
  const from = isPlain ? x : inKerasOrder(context, x);
  const at = (axis: number): number => (isPlain ? ourAxis(context, axis, rank) : axis);
  const part = taken.reduce<Value>((value, t, axis) => {
    const length = from.dims[at(axis)]!;
    if (typeof t === 'number') {
      const place = t < 0 ? t + length : t;
      if (place < 0 || place >= length) throw unsupported(context, `it takes position ${t} of ${length}`);
      return b.slice(value, [place], [place + 1], [at(axis)]);
    }
    const { start, stop, step } = t;
    if (start === null && stop === null && (step === null || step === 1)) return value;
    // Turned round, a Gather says so, and where the colours of a picture are is known.
    if (start === null && stop === null && step === -1 && length <= MOST_TURNED)
      return b.one('Gather', [value, b.ints(Array.from({ length }, (_, i) => length - 1 - i))], { axis: at(axis) });
    const by = step ?? 1;
    return b.slice(
      value,
      [start ?? (by > 0 ? 0 : length)],
      [stop ?? (by > 0 ? length : -length - 1)],
      [at(axis)],
      [by],
    );
  }, from);
  const kept = part.dims.filter((_, axis) => !single.some((s) => at(s) === axis));
  return single.length === 0 ? b.one('Identity', [part], {}, name) : b.one('Reshape', [part, b.ints(kept)], {}, name);
};
const MOST_TURNED = 1 << 10;

/** Values side by side along a new axis. */
const Stack: KerasLayer = (context) => {
  const { b, name, config, inputs } = context;
  const rank = (inputs[0]?.dims.length ?? 0) + 1;
  if (inputs.length === 0 || rank > 4) throw unsupported(context, `its inputs have ${rank - 1} axes`);
  const axis = ourAxis(context, config['axis'] ?? 0, rank);
  // Of a picture's values only those without channels stand as here.
  if (axis === 0 || (rank === 4 && axis !== 1))
    throw unsupported(context, `its axis is ${JSON.stringify(config['axis'])}`);
  const parts = inputs.map((x) => b.reshape(x, [...x.dims.slice(0, axis), 1, ...x.dims.slice(axis)]));
  const places = rank === 4 ? parts.map((x) => placeOf(b, x.name)) : [];
  const [whole] = places;
  // The channels of one picture in another order are that picture with its channels exchanged.
  if (whole && places.every((p) => p?.from === whole.from))
    return b.one('Gather', [b.value(whole.from), b.ints(places.map((p) => p!.place))], { axis: 1 }, name);
  return b.one('Concat', parts, { axis }, name);
};

/** Of which value one channel was taken, and which; undefined if a value is something else. */
function placeOf(b: Builder, name: string): { readonly from: string; readonly place: number } | undefined {
  const node = b.nodes.find((n) => n.outputs[0] === name);
  if (node?.op === 'Reshape' || node?.op === 'Identity') return placeOf(b, node.inputs[0]!);
  if (node?.op !== 'Slice' || b.value(name).dims.length !== 4 || b.value(name).dims[1] !== 1) return undefined;
  const [start, axis] = [node.inputs[1], node.inputs[3]].map((i) => b.value(i ?? '').constant);
  if (!start || !axis || toNumbers(axis).join() !== '1') return undefined;
  return { from: node.inputs[0]!, place: toNumbers(start)[0]! };
}

export const parts: Readonly<Record<string, KerasLayer>> = { GetItem, SlicingOpLambda: GetItem, Stack };
