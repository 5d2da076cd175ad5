/** @file WebGPU in a real browser, in software: the contract of src/runtime, a device that is lost, and a browser that has none. */
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executable, launch, staticHost } from '../explorer/browser.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const dist = at('../../node_modules/onnxruntime-web/dist/');

/** A page with the runtime, and ONNX Runtime beside it. */
async function built(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'phosphene-gpu-'));
  const bundle = await rolldown({
    input: at('gpu-page.ts'),
    external: /^onnxruntime-web/,
    platform: 'browser',
  });
  await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'page.js' });
  copyFileSync(`${dist}ort.webgpu.bundle.min.mjs`, join(folder, 'ort.webgpu.js'));
  copyFileSync(`${dist}ort-wasm-simd-threaded.asyncify.wasm`, join(folder, 'ort.wasm'));
  const imports = { 'onnxruntime-web/webgpu': './ort.webgpu.js', 'onnxruntime-web/wasm': './ort.wasm.js' };
  const html = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script>
  globalThis.devices = [];
  if (navigator.gpu) {
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...options) {
      const device = await requestDevice.apply(this, options);
      devices.push(device);
      return device;
    };
  }
</script>
<script type="module" src="page.js"></script>`;
  writeFileSync(join(folder, 'index.html'), html);
  return folder;
}

describe.skipIf(executable === undefined)('WebGPU in a browser (needs Chromium)', { timeout: 120_000 }, () => {
  let host: Awaited<ReturnType<typeof staticHost>>;
  let browser: Browser;
  beforeAll(async () => {
    host = await staticHost(await built());
    browser = await launch('--enable-unsafe-webgpu');
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    host?.close();
  });
  const visit = async (): Promise<{ page: Page; requests: string[] }> => {
    const page = await browser.newPage();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url().replace(host.url, '')));
    await page.goto(host.url);
    await page.waitForFunction('globalThis.steps !== undefined');
    return { page, requests };
  };

  it('keeps the contract of a runtime', async () => {
    const { page } = await visit();
    expect(await page.evaluate('steps()')).toEqual({
      name: 'onnxruntime-web webgpu',
      lowering: 'webgpu',
      told: [
        [1, 2, 3],
        [[6], [2, 2, 3]],
        [[7], [3, 2, 3]],
        [[8], [4, 2, 3]],
        // Another run.
        [1, 1, 1],
        { 'next/z': [2, 3, 4], loss: [6] },
        // After a step that was refused.
        [4, 2, 3],
      ],
      refused: expect.stringContaining('ONNX Runtime failed: ') as string,
    });
    await page.close();
  });

  it('ends the steps of a device that is lost, and says why', async () => {
    const { page } = await visit();
    expect(await page.evaluate('lost(() => devices.forEach((device) => device.destroy()))')).toMatch(
      /^ONNX Runtime failed: the GPU was lost/,
    );
    await page.close();
  });

  it('says that there is no GPU, and fetches nothing for it', async () => {
    const { page, requests } = await visit();
    await page.evaluate('navigator.gpu.requestAdapter = async () => null');
    expect(await page.evaluate('none()')).toBe('WebGPU: this browser has no GPU for pages');
    expect(requests.filter((url) => url.includes('ort'))).toEqual([]);
    await page.close();
  });
});
