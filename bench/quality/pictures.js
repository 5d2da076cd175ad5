/**
 * @file Pictures for the judge, and what can be done to them: cutting, turning, scaling, JPEG, blur; spectra. A picture is
 * `{ h, w, data }` with three planes of values in [0, 1] that are whole 255ths, as a file has them.
 */
import { readFileSync } from 'node:fs';
import encodeJpeg, { init } from '@jsquash/jpeg/encode.js';
import { float32 } from '../../dist/ir/tensor.js';
import { openPhoto } from '../../dist/node.js';
import { readPhoto } from '../../dist/photo/photo.js';
import { loadCodec } from '../../dist/hub/photo.js';
import { resize as lanczos } from '../../dist/photo/resize.js';

const bytes = (v) => Math.min(255, Math.max(0, Math.round(v * 255))) / 255;

/** Three planes of an interleaved raster. */
export function planes({ width: w, height: h, data }) {
  const out = new Float32Array(3 * h * w);
  for (let i = 0; i < h * w; i++) for (let c = 0; c < 3; c++) out[c * h * w + i] = data[3 * i + c] / 255;
  return { h, w, data: out };
}

export const open = async (file) => planes(await openPhoto(file));

/** A picture whose value at (c, y, x) is `at(c, y, x)`. */
function made(h, w, at) {
  const data = new Float32Array(3 * h * w);
  for (let c = 0, i = 0; c < 3; c++)
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++, i++) data[i] = bytes(at(c, y, x));
  return { h, w, data };
}

const value = ({ h, w, data }, c, y, x) => data[(c * h + y) * w + x];
/** An index mirrored about the outermost pixels. */
const mirror = (i, n) => {
  const period = 2 * (n - 1);
  const m = ((i % period) + period) % period;
  return m < n ? m : period - m;
};
const bilinear = (p, c, y, x) => {
  const [y0, x0] = [Math.floor(y), Math.floor(x)];
  const [fy, fx] = [y - y0, x - x0];
  const at = (i, j) => value(p, c, mirror(i, p.h), mirror(j, p.w));
  return (
    (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) +
    fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1))
  );
};

export const cut = (p, side, top, left = top) => made(side, side, (c, y, x) => value(p, c, top + y, left + x));

export function resize({ h, w, data }, side) {
  const { data: out } = lanczos(float32(data, [1, 3, h, w]), { height: side, width: side });
  return { h: side, w: side, data: out.map(bytes) };
}

/** Turned about its centre, its mirror image outside. */
export function turned(p, degrees) {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin, cy, cx] = [Math.cos(angle), Math.sin(angle), (p.h - 1) / 2, (p.w - 1) / 2];
  return made(p.h, p.w, (c, y, x) =>
    bilinear(p, c, cy + cos * (y - cy) - sin * (x - cx), cx + sin * (y - cy) + cos * (x - cx)),
  );
}

/** Smaller by a factor, its mirror image around it. The filter is a triangle as wide as a pixel of the result. */
export function scaled(p, factor) {
  const reach = 1 / factor;
  const axis = (n, at) => {
    const from = at / factor;
    const taps = [];
    for (let i = Math.ceil(from - reach); i <= from + reach; i++)
      taps.push([mirror(i, n), 1 - Math.abs(i - from) / reach]);
    const sum = taps.reduce((s, [, weight]) => s + weight, 0);
    return taps.map(([i, weight]) => [i, weight / sum]);
  };
  const centre = (n) => ((n - 1) / 2) * factor - (n - 1) / 2;
  const rows = Array.from({ length: p.h }, (_, y) => axis(p.h, y + centre(p.h)));
  const columns = Array.from({ length: p.w }, (_, x) => axis(p.w, x + centre(p.w)));
  return made(p.h, p.w, (c, y, x) =>
    rows[y].reduce((s, [i, a]) => s + a * columns[x].reduce((t, [j, b]) => t + b * value(p, c, i, j), 0), 0),
  );
}

export function blurred(p, sigma) {
  const kernel = Array.from({ length: 9 }, (_, i) => Math.exp(-((i - 4) ** 2) / 2 / sigma ** 2));
  const sum = kernel.reduce((a, b) => a + b, 0);
  const across = { ...p, data: new Float32Array(p.data.length) };
  for (let c = 0, i = 0; c < 3; c++)
    for (let y = 0; y < p.h; y++)
      for (let x = 0; x < p.w; x++, i++)
        across.data[i] = kernel.reduce((s, k, d) => s + (k / sum) * value(p, c, y, mirror(x + d - 4, p.w)), 0);
  return made(p.h, p.w, (c, y, x) =>
    kernel.reduce((s, k, d) => s + (k / sum) * value(across, c, mirror(y + d - 4, p.h), x), 0),
  );
}

let encoder;
export async function asJpeg({ h, w, data }, quality) {
  encoder ??= init(
    await WebAssembly.compile(
      readFileSync(new URL('../../node_modules/@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm', import.meta.url)),
    ),
  );
  const rgba = new Uint8ClampedArray(4 * h * w);
  for (let i = 0; i < h * w; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = Math.round(data[c * h * w + i] * 255);
    rgba[4 * i + 3] = 255;
  }
  // The tables of the standard, as everyone's JPEG has them.
  const file = await encodeJpeg(
    { data: rgba, width: w, height: h },
    { quality, quant_table: 0, auto_subsample: false, chroma_subsample: 2 },
  );
  return planes(await readPhoto(new Uint8Array(file), { loadCodec }));
}

export function deviation({ data }) {
  const mean = data.reduce((a, b) => a + b, 0) / data.length;
  return Math.sqrt(data.reduce((s, v) => s + (v - mean) ** 2, 0) / data.length);
}

/** Power of one plane under a Hann window, its mean taken away first, [n, n]. */
function power(plane, n) {
  const mean = plane.reduce((a, b) => a + b, 0) / plane.length;
  const hann = Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (n - 1)));
  const cosines = Float64Array.from({ length: n }, (_, k) => Math.cos((2 * Math.PI * k) / n));
  const sines = Float64Array.from({ length: n }, (_, k) => Math.sin((2 * Math.PI * k) / n));
  const half = Math.floor(n / 2) + 1;
  const [re, im] = [new Float64Array(n * half), new Float64Array(n * half)];
  for (let y = 0; y < n; y++)
    for (let k = 0; k < half; k++) {
      let r = 0;
      let i = 0;
      for (let x = 0; x < n; x++) {
        const v = (plane[y * n + x] - mean) * hann[y] * hann[x];
        r += v * cosines[(k * x) % n];
        i -= v * sines[(k * x) % n];
      }
      re[y * half + k] = r;
      im[y * half + k] = i;
    }
  const out = new Float64Array(n * half);
  for (let k = 0; k < half; k++)
    for (let f = 0; f < n; f++) {
      let r = 0;
      let i = 0;
      for (let y = 0; y < n; y++) {
        const turn = (f * y) % n;
        r += re[y * half + k] * cosines[turn] + im[y * half + k] * sines[turn];
        i += im[y * half + k] * cosines[turn] - re[y * half + k] * sines[turn];
      }
      out[f * half + k] = r * r + i * i;
    }
  return { out, half };
}

/**
 * Of a square picture: the slope of the radial power spectrum of its luminance (log-log, from 3 cycles a picture to .4 cycles a pixel), and
 * the share of its energy above .25 cycles a pixel.
 */
export function spectra({ h: n, data }) {
  const size = n * n;
  const channels = [0, 1, 2].map((c) => data.subarray(c * size, (c + 1) * size));
  const weigh = (visit, { out, half }) => {
    for (let f = 0; f < n; f++)
      for (let k = 0; k < half; k++) {
        const radius = Math.hypot(f <= n / 2 ? f : f - n, k);
        visit(radius, out[f * half + k], k === 0 || 2 * k === n ? 1 : 2);
      }
  };
  let [high, all] = [0, 0];
  for (const plane of channels)
    weigh(
      (radius, p, count) => {
        if (radius / n > 0.25) high += count * p;
        if (radius > 0) all += count * p;
      },
      power(plane, n),
    );
  const luminance = Float32Array.from(
    { length: size },
    (_, i) => 0.299 * channels[0][i] + 0.587 * channels[1][i] + 0.114 * channels[2][i],
  );
  const [sums, counts] = [new Float64Array(n), new Float64Array(n)];
  weigh(
    (radius, p, count) => {
      sums[Math.round(radius)] += count * p;
      counts[Math.round(radius)] += count;
    },
    power(luminance, n),
  );
  const points = [];
  for (let k = 3; k < Math.floor(0.4 * n); k++) points.push([Math.log(k), Math.log(sums[k] / counts[k] + 1e-12)]);
  const mean = (i) => points.reduce((s, p) => s + p[i], 0) / points.length;
  const [mx, my] = [mean(0), mean(1)];
  const slope =
    points.reduce((s, [x, y]) => s + (x - mx) * (y - my), 0) / points.reduce((s, [x]) => s + (x - mx) ** 2, 0);
  return { slope, high: high / (all + 1e-12) };
}
