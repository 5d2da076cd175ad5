/** @file `animate` in words, on a core made for the test. */
import { describe, expect, it } from 'vitest';
import { animateCommand, type AnimateNews, type AnimationRequest } from '../../src/cli/animate.ts';
import type { RenderRequest } from '../../src/cli/render.ts';
import { said } from './fake.ts';

function animating(news: readonly AnimateNews[] = []) {
  const asked: [RenderRequest, AnimationRequest][] = [];
  const command = animateCommand(async () => async (request, animation, tell) => {
    asked.push([request, animation]);
    for (const one of news) await tell(one);
  });
  return { asked, entries: { animate: { summary: 'Animates', load: async () => command } } };
}

describe('animate', () => {
  it('asks for what render asks for, and how it moves', async () => {
    const { asked, entries } = animating();
    await said(['animate'], entries);
    await said(['animate', 'm.onnx', '-f', '1-2', '--frames', '9', '--delay', '40', '--morph', '-o', 'x.png'], entries);
    expect(asked[0]![0]).toMatchObject({
      model: 'resnet50v2-mini',
      out: 'animation.gif',
      preset: 'natural',
      captions: false,
    });
    expect(asked[0]![1]).toEqual({ frames: 24, delay: 80, morph: false });
    expect(asked[1]![0]).toMatchObject({ model: 'm.onnx', out: 'x.png', filters: [[1, 2]] });
    expect(asked[1]![1]).toEqual({ frames: 9, delay: 40, morph: true });
    const { code, stderr } = await said(['animate', '--class', 'x', '--filters', '1'], entries);
    expect([code, stderr]).toEqual([2, expect.stringContaining('both say what is rendered')]);
  });

  it('tells where the file is', async () => {
    const file: AnimateNews = { type: 'file', file: '/o/a.gif', width: 7, height: 5, frames: 24 };
    const { entries } = animating([{ type: 'ready', workers: 2 }, file]);
    expect(await said(['animate'], entries)).toEqual({ code: 0, stdout: '/o/a.gif (7×5, 24 pictures)\n', stderr: '' });
    expect((await said(['animate', '-q'], entries)).stdout).toBe('');
    const lines = (await said(['animate', '--json'], entries)).stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { event: 'ready', workers: 2, seconds: expect.any(Number) as number },
      { event: 'file', file: '/o/a.gif', width: 7, height: 5, frames: 24 },
    ]);
  });
});
