/**
 * @file The judge: how far pictures excite their filters, measured against photographs. `any phase` is the figure to compare by: pixel
 * ascent locks itself to the grid on which a network samples pictures, so a picture is judged by cuts that are moved off that grid.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { Builder, float32 } from '../../dist/ir/index.js';
import { nodeRuntime, Random } from '../../dist/node.js';
import { asJpeg, blurred, cut, deviation, open, resize, scaled, spectra, turned } from './pictures.js';

/** Pixels a side of what is judged: what the Keras example keeps of its 180. */
export const JUDGED = 130;
const PHOTOGRAPHS = 600;
/** Pixels by which the cut is moved. A move by a whole stride alone would hide that a picture is locked to it. */
const SHIFTS = [1, 3, 6, 8, 11, 14];
const harms = {
  'turned 5°': (p) => turned(p, 5),
  'scaled 0.9': (p) => scaled(p, 0.9),
  'JPEG 50': (p) => asJpeg(p, 50),
  'blurred 1': (p) => blurred(p, 1),
};

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
/** As NumPy's: linear between the two nearest. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}
export const median = (values) => quantile(values, 0.5);

function photosIn(folder) {
  const files = readdirSync(folder)
    .filter((f) => /\.(png|jpe?g|webp)$/i.test(f))
    .sort();
  if (files.length === 0) throw new Error(`no photographs in ${folder}`);
  return files.map((f) => `${folder}/${f}`);
}

/** Random squares of photographs, their sides log-uniform from JUDGED to the short side, at most 512, brought to JUDGED. */
async function patches(folder) {
  const photos = await Promise.all(photosIn(folder).map(open));
  const random = new Random('photographs');
  const uniform = () => random.uniform(1, 0, 1)[0];
  return Array.from({ length: PHOTOGRAPHS }, (_, i) => {
    const photo = photos[i % photos.length];
    const short = Math.min(photo.h, photo.w);
    const side = Math.min(short, Math.round(JUDGED * (Math.min(512, short) / JUDGED) ** uniform()));
    const at = (length) => Math.floor(uniform() * (length - side + 1));
    return resize(cut(photo, side, at(photo.h), at(photo.w)), JUDGED);
  });
}

/** A network that is asked for layers of pictures of JUDGED pixels a side. */
async function watching(network, layers) {
  const graph = await network.cut(layers, { height: JUDGED, width: JUDGED });
  const program = await nodeRuntime.compile(graph);
  return async (picture) => {
    // Networks take pictures in [-1, 1]; their preprocessing is in the graph.
    const image = float32(
      picture.data.map((v) => 2 * v - 1),
      [1, 3, JUDGED, JUDGED],
    );
    return program.run({ image });
  };
}

/** The mean of each channel, the border left out as in the ascent (of a map under 7 × 7 only one row). */
function inside({ dims: [, c, h, w], data }) {
  const border = Math.min(h, w) >= 7 ? 2 : Math.min(1, Math.floor((Math.min(h, w) - 1) / 2));
  const out = new Float32Array(c);
  for (let k = 0; k < c; k++) {
    let sum = 0;
    for (let y = border; y < h - border; y++)
      for (let x = border; x < w - border; x++) sum += data[(k * h + y) * w + x];
    out[k] = sum / ((h - 2 * border) * (w - 2 * border));
  }
  return out;
}

/** Means of a map over a grid of cells, its outermost cells left out: [c, (grid - 2)²]. */
function cells({ dims: [, c, h, w], data }, grid) {
  const out = new Float32Array(c * (grid - 2) ** 2);
  const edges = (n, i) => [Math.floor((i * n) / grid), Math.ceil(((i + 1) * n) / grid)];
  let at = 0;
  for (let k = 0; k < c; k++)
    for (let gy = 1; gy < grid - 1; gy++)
      for (let gx = 1; gx < grid - 1; gx++) {
        const [[y0, y1], [x0, x1]] = [edges(h, gy), edges(w, gx)];
        let sum = 0;
        for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) sum += data[(k * h + y) * w + x];
        out[at++] = sum / ((y1 - y0) * (x1 - x0));
      }
  return out;
}

/** For each row of `a` [n, positions] the row of `b` that correlates most with it: its number and the correlation. */
async function nearest(a, b) {
  const builder = new Builder();
  const [x, y] = [a, b].map(({ rows, columns }, i) => builder.input(`x${i}`, 'float32', [rows, columns]));
  const program = await nodeRuntime.compile(builder.graph({ r: builder.matmul(x, builder.transpose(y, [1, 0])) }));
  const standard = ({ rows, columns, data }) => {
    const out = new Float32Array(data.length);
    for (let r = 0; r < rows; r++) {
      const row = data.subarray(r * columns, (r + 1) * columns);
      const level = mean(row);
      const spread = Math.sqrt(mean(row.map((v) => (v - level) ** 2))) + 1e-6;
      for (let i = 0; i < columns; i++) out[r * columns + i] = (row[i] - level) / spread / Math.sqrt(columns);
    }
    return float32(out, [rows, columns]);
  };
  const { r } = await program.run({ x0: standard(a), x1: standard(b) });
  await program.dispose();
  return Array.from({ length: a.rows }, (_, i) => {
    let best = 0;
    for (let j = 1; j < b.rows; j++) if (r.data[i * b.rows + j] > r.data[i * b.rows + best]) best = j;
    return { channel: best, r: r.data[i * b.rows + best] };
  });
}

/** What photographs say of layers: each channel's means, and its counterpart in the other network. */
async function lessons(networks, photos) {
  const layersOf = (n) => [
    ...new Set([
      ...Object.keys(networks[n].mates),
      ...Object.entries(networks).flatMap(([other, { mates }]) => (other === n ? [] : Object.values(mates).flat())),
    ]),
  ];
  const [means, maps, sides] = [{}, {}, {}];
  for (const [name, { network }] of Object.entries(networks)) {
    const layers = layersOf(name);
    const run = await watching(network, layers);
    for (const photo of photos) {
      const out = await run(photo);
      for (const layer of layers) {
        (means[layer] ??= []).push(inside(out[layer]));
        // Maps of two layers are compared on a grid that both have; the maps themselves would be too much to keep.
        const side = out[layer].dims[2];
        sides[layer] = side;
        for (const grid of side >= 8 ? [8, 5] : [5]) ((maps[layer] ??= {})[grid] ??= []).push(cells(out[layer], grid));
      }
    }
  }
  const flat = (layer, grid) => {
    const all = maps[layer][grid];
    const [rows, width] = [means[layer][0].length, (grid - 2) ** 2];
    const data = new Float32Array(rows * width * all.length);
    all.forEach((one, i) => {
      for (let r = 0; r < rows; r++) data.set(one.subarray(r * width, (r + 1) * width), (r * all.length + i) * width);
    });
    return { rows, columns: width * all.length, data };
  };
  const mates = {};
  for (const { mates: wanted } of Object.values(networks))
    for (const [layer, others] of Object.entries(wanted)) {
      let best;
      for (const other of others) {
        const grid = Math.min(sides[layer], sides[other]) >= 8 ? 8 : 5;
        const own = flat(layer, grid);
        const found = (await nearest(own, flat(other, grid))).map((mate) => ({ ...mate, layer: other }));
        best = best ? best.map((mate, i) => (found[i].r > mate.r ? found[i] : mate)) : found;
      }
      mates[layer] = best;
    }
  return { means, mates };
}

/** All that is kept of photographs: what they say of layers, and what they look like. */
async function learnt(networks, photos) {
  const looks = photos.map(spectra);
  const slope = median(looks.map((l) => l.slope));
  return {
    ...(await lessons(networks, photos)),
    photographs: {
      slope,
      high: median(looks.map((l) => l.high)),
      slopeDistance: median(looks.map((l) => Math.abs(l.slope - slope))),
      contrast: median(photos.map(deviation)),
    },
  };
}

/**
 * A judge of pictures of some networks: `{ name: { network, mates: { layer: layers of the other network } } }`. What photographs say is kept
 * in `cache`, since it takes a minute.
 */
export async function judgeOf(networks, folder, cache) {
  const key = createHash('sha256');
  for (const file of photosIn(folder)) key.update(readFileSync(file));
  for (const [name, { network, mates }] of Object.entries(networks))
    key.update(JSON.stringify([name, await network.digest(), mates]));
  const file = `${cache}/photographs-${key.digest('hex').slice(0, 12)}.bin`;
  const known = existsSync(file) ? deserialize(readFileSync(file)) : await learnt(networks, await patches(folder));
  if (!existsSync(file)) writeFileSync(file, serialize(known));
  const { slope } = known.photographs;
  const runs = new Map();
  const ask = async (name, layers) => {
    const id = `${name}/${layers.join()}`;
    if (!runs.has(id)) runs.set(id, await watching(networks[name].network, layers));
    return runs.get(id);
  };

  return {
    photographs: known.photographs,
    /** The figures of pictures, whole canvases, of one layer's channels: a list for each figure. */
    async look(name, layer, channels, canvases) {
      const other = Object.keys(networks).find((n) => n !== name);
      const run = await ask(name, [layer]);
      const response = async (picture) => inside((await run(picture))[layer]);
      const seen = known.means[layer];
      const rows = [];
      for (const [i, canvas] of canvases.entries()) {
        const channel = channels[i];
        const ofPhotos = seen.map((means) => means[channel]);
        const [level, top, p95] = [mean(ofPhotos), Math.max(...ofPhotos), quantile(ofPhotos, 0.95)];
        const at = 32 * Math.max(1, Math.floor((canvas.h - JUDGED) / 64));
        const judged = cut(canvas, JUDGED, at);
        const all = await response(judged);
        const excess = (means) => means[channel] - level;
        const here = excess(all);
        const shifted = [];
        for (const by of SHIFTS) shifted.push(excess(await response(cut(canvas, JUDGED, at + by))));
        const kept = [];
        for (const harm of Object.values(harms)) kept.push(excess(await response(await harm(judged))) / here);
        const mate = known.mates[layer][channel];
        const there = inside((await (await ask(other, [mate.layer]))(judged))[mate.layer])[mate.channel];
        const { slope: own, high } = spectra(judged);
        rows.push({
          responses: all,
          anyPhase: mean(shifted) / (top - level),
          aligned: here / (top - level),
          saved: excess(await response(cut(canvas, JUDGED, Math.floor((canvas.h - JUDGED) / 2)))) / (top - level),
          shifts: mean(shifted) / here,
          harms: mean([mean(shifted) / here, ...kept]),
          transfer: (100 * known.means[mate.layer].filter((means) => there > means[mate.channel]).length) / seen.length,
          slopeDistance: Math.abs(own - slope),
          high,
          contrast: deviation(judged),
          failed: deviation(judged) < 4 / 255 || all[channel] < p95 ? 1 : 0,
        });
      }
      // Whether a filter's own picture is the one that excites it most, among those of the other filters.
      return rows.map((row, i) => ({
        ...row,
        top1: rows.every(({ responses }) => responses[channels[i]] <= row.responses[channels[i]]) ? 1 : 0,
      }));
    },
    /** How far two sets of pictures of the same filters excite all channels of the layer in the same order: Spearman's rank correlation. */
    agreement(layer, rows, others) {
      const seen = known.means[layer];
      const channels = seen[0].length;
      const levels = Array.from({ length: channels }, (_, k) => {
        const values = seen.map((means) => means[k]);
        const level = mean(values);
        return [level, Math.sqrt(mean(values.map((v) => (v - level) ** 2))) + 1e-6];
      });
      const ranks = ({ responses }) => {
        const z = Array.from(responses, (v, k) => (v - levels[k][0]) / levels[k][1]);
        const order = z.map((_, k) => k).sort((a, b) => z[a] - z[b]);
        const out = new Float64Array(channels);
        order.forEach((k, rank) => (out[k] = rank));
        return out;
      };
      return rows.map((row, i) => {
        const [a, b] = [ranks(row), ranks(others[i])];
        const middle = (channels - 1) / 2;
        const spread = a.reduce((s, v) => s + (v - middle) ** 2, 0);
        return a.reduce((s, v, k) => s + (v - middle) * (b[k] - middle), 0) / spread;
      });
    },
  };
}
