/**
 * @file `node bench/explorer.js [OPTIONS]`: the explorer in a browser, after `npm run build`. Prints the time to the first picture, steps a
 * second as WebAssembly against the native engine in one run, the bytes that are loaded, frames while 2,048 tiles are scrolled, and
 * the page's memory over many units. Nothing else should compute meanwhile.
 *
 *     --chromium FILE   the browser; $CHROMIUM, or where Debian puts it
 *     --rounds N        of everything that is timed, 5; with 0, nothing is
 *     --units N         that are seen while memory is measured, 500
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { Random } from '../dist/index.js';
import { Builder, encodeOnnx, float32 } from '../dist/ir/index.js';
import { machine, warnUnlessQuiet } from './machine.js';
import { median } from './report.js';

const { values: options } = parseArgs({
  options: {
    chromium: { type: 'string', default: process.env.CHROMIUM || '/usr/bin/chromium' },
    rounds: { type: 'string', default: '5' },
    units: { type: 'string', default: '500' },
  },
});
const rounds = Number(options.rounds);
const units = Number(options.units);
if (!existsSync(options.chromium)) throw new Error(`${options.chromium}: no browser there; name one with --chromium`);
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const here = machine();
warnUnlessQuiet(here);

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };

/** The files of a folder, as any static host has them. */
async function staticHost(folder) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://here').pathname.slice(1) || 'index.html';
    readFile(join(folder, path)).then(
      (bytes) =>
        response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

const command = (...words) => spawn(process.execPath, [join(dist, 'bundle/main.js'), ...words]);

/** `phosphene explore` with one worker and an empty cache: the browser has one core's worth too. */
async function explorer() {
  const child = command('explore', '--no-open', '--workers', '1', '--cache', mkdtempSync(join(tmpdir(), 'phosphene-')));
  const url = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (piece) => {
      text += piece;
      const found = /^http\S+/.exec(text);
      if (found) resolve(found[0]);
    });
    child.on('exit', () => reject(new Error('phosphene explore has ended')));
  });
  return { url, close: () => child.kill('SIGTERM') };
}

/** A site of a few pictures. */
async function site() {
  const out = mkdtempSync(join(tmpdir(), 'phosphene-'));
  const child = command('site', out, '--filters', '0', '--quiet');
  await new Promise((resolve, reject) =>
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`phosphene site ended with ${code}`)))),
  );
  return staticHost(out);
}

const browser = await chromium.launch({
  executablePath: options.chromium,
  args: ['--no-sandbox', '--js-flags=--expose-gc'],
});

/** A page with a profile of its own, so that nothing is kept from the one before. */
async function visit(url, see) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(300_000);
  const loaded = [];
  context.on('request', (request) => loaded.push(request.url()));
  try {
    await page.goto(url);
    return await see(page, loaded);
  } finally {
    await context.close();
  }
}

/** Milliseconds from the navigation until a picture of the start page is complete. */
const toFirst = (url) =>
  visit(`${url}#/`, async (page) => {
    await page.waitForSelector('.picture[data-state=done]');
    return page.evaluate('performance.now()');
  });

const STEPS = 40;
let seed = 0;
/** Steps a second of one large picture, from its first report on. */
const stepsPerSecond = (url) =>
  visit(
    `${url}#/resnet50v2-mini/conv3_block4_out/7?preset=keras&size=180&steps=${STEPS}&seed=${++seed}`,
    async (page) => {
      const found = await page.evaluate(`new Promise((resolve) => {
      let first;
      const look = () => {
        const text = document.querySelector('.large .facts')?.textContent ?? '';
        const step = Number(/^Step (\\d+) of/.exec(text)?.[1] ?? 0);
        // The first steps warm up.
        if (!first && step >= 4) first = [step, performance.now()];
        const over = /^\\d+ steps/.test(text);
        if (over) resolve(first && [first, performance.now()]);
        else setTimeout(look, 4);
      };
      look();
    })`);
      if (!found) throw new Error('the picture was there before a step of it was seen; take more steps');
      const [from, to] = found;
      return (1000 * (STEPS - from[0])) / (to - from[1]);
    },
  );

const kB = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
const spread = (values, digits) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

console.log(
  `${here.cpu}, ${here.cores} cores, load ${here.load.toFixed(1)}, Chromium ${browser.version()}, ${rounds} rounds\n`,
);

const ways = { 'in the page': await staticHost(join(dist, 'explorer')) };
if (rounds > 0) Object.assign(ways, { 'phosphene explore': await explorer(), 'phosphene site': await site() });

const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
const rates = { wasm: [], native: [], ratio: [] };
for (let round = 0; round < rounds; round++) {
  console.error(`round ${round + 1} of ${rounds}`);
  for (const [name, { url }] of Object.entries(ways)) {
    // What a server has kept would be no first picture.
    const own = name === 'phosphene explore' ? await explorer() : undefined;
    times[name].push(await toFirst(own?.url ?? url));
    own?.close();
  }
  const wasm = await stepsPerSecond(ways['in the page'].url);
  const native = await stepsPerSecond(ways['phosphene explore'].url);
  rates.wasm.push(wasm);
  rates.native.push(native);
  rates.ratio.push(native / wasm);
}
if (rounds > 0) {
  console.log('time to the first finished picture, ms');
  for (const [name, all] of Object.entries(times)) console.log(`  ${name.padEnd(20)}${spread(all, 0)}`);
  console.log('\nsteps a second, one thread, keras preset, 180 px, conv3_block4_out');
  console.log(`  ${'WebAssembly'.padEnd(20)}${spread(rates.wasm, 1)}`);
  console.log(`  ${'native'.padEnd(20)}${spread(rates.native, 1)}`);
  console.log(`  ${'native / WebAssembly'.padEnd(20)} ${spread(rates.ratio, 2)}`);
}

const zipped = async (urls) => {
  const sizes = await Promise.all(
    [...new Set(urls)].map(async (url) => gzipSync(Buffer.from(await (await fetch(url)).arrayBuffer())).length),
  );
  return sizes.reduce((a, b) => a + b, 0);
};
const { url } = ways['in the page'];
console.log('\nbytes loaded, gzip');
await visit(`${url}#/`, async (page, loaded) => {
  await page.waitForSelector('.picture[data-state=done]');
  // Workers inside workers are seen by nobody: what they load is named here.
  const assets = await page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)");
  const before = [url, ...loaded, ...assets].filter((name) => /\/$|index-|inter-|icon/.test(name.split('#')[0]));
  const rest = [...loaded, ...assets].filter((name) => !before.includes(name));
  console.log(`  ${'page'.padEnd(20)}${kB(await zipped(before.map((name) => name.split('#')[0])))}`);
  console.log(`  ${'engine and model'.padEnd(20)}${kB(await zipped(rest))}`);
});

/** A network, of which one layer has so many channels. */
function wide(channels) {
  const b = new Builder();
  const random = new Random('bench');
  const picture = b.input('image', 'float32', [1, 3, 32, 32]);
  const first = b.relu(b.conv(picture, b.constant(float32(random.normal(8 * 27), [8, 3, 3, 3]))));
  const second = b.conv(first, b.constant(float32(random.normal(channels * 8), [channels, 8, 1, 1])));
  return Buffer.from(encodeOnnx(b.graph({ shallow: first, wide: second })));
}
const openWide = async (page) => {
  await page.setInputFiles('header input[type=file]', { name: 'wide.onnx', mimeType: '', buffer: wide(2048) });
  await page.waitForSelector('h1:text("wide.onnx")');
  return new URL(page.url()).hash;
};

if (rounds > 0) console.log('\nframes while 2,048 tiles are scrolled');
for (let round = 0; round < rounds; round++)
  await visit(`${url}#/`, async (page) => {
    const hash = await openWide(page);
    await page.evaluate(`location.hash = ${JSON.stringify(`${hash}/wide?steps=3&crop=1`)}`);
    await page.waitForSelector('.grid .picture[data-state=done]');
    const gaps = await page.evaluate(`new Promise((resolve) => {
      const gaps = [];
      const most = document.documentElement.scrollHeight - innerHeight;
      let [begun, last] = [0, 0];
      requestAnimationFrame(function frame(now) {
        if (!begun) begun = now;
        else gaps.push(now - last);
        last = now;
        const done = (now - begun) / 5000;
        scrollTo(0, most * Math.min(1, done));
        if (done < 1) requestAnimationFrame(frame);
        else resolve(gaps);
      });
    })`);
    const sorted = gaps.toSorted((a, b) => a - b);
    const late = gaps.filter((gap) => gap > 25).length;
    console.log(
      `  ${((1000 * gaps.length) / gaps.reduce((a, b) => a + b, 0)).toFixed(1)} a second; ${late} of ${gaps.length} later than 25 ms, the latest ${sorted.at(-1).toFixed(0)} ms`,
    );
  });

console.log(`\nmemory of the page over ${units} units, MB after garbage is collected`);
await visit(`${url}#/`, async (page) => {
  const hash = await openWide(page);
  const session = await page.context().newCDPSession(page);
  const heap = async () => {
    await session.send('HeapProfiler.collectGarbage');
    return (await session.send('Runtime.getHeapUsage')).usedSize / 1e6;
  };
  for (let unit = 0; unit < units; unit++) {
    await page.evaluate(`location.hash = ${JSON.stringify(`${hash}/wide/${unit}?steps=2&crop=1`)}`);
    await page.waitForSelector(`h1:text("Channel ${unit} ")`);
    await page.waitForSelector('.large .picture[data-state=done]');
    if ((unit + 1) % Math.ceil(units / 5) === 0 || unit + 1 === units)
      console.log(`  ${String(unit + 1).padStart(4)} units  ${(await heap()).toFixed(1)}`);
  }
});

await browser.close();
for (const { close } of Object.values(ways)) close();
