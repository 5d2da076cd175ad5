/** @file What `phosphene animate` asks of the core. */
import { resolve } from 'node:path';
import { animate as animated } from '../../node.ts';
import type { AnimateCore } from '../animate.ts';
import { opened, told } from './render.ts';

export const animate: AnimateCore = async (request, animation, tell) => {
  const { out, columns, margin, captions, workers, signal } = request;
  const { network, options } = await opened(request, tell, 1);
  try {
    const running = { out: resolve(out), columns, margin, captions, workers, signal };
    for await (const event of animated(network, options, animation, running))
      if (event.type === 'file') await tell(event);
      else await told(event, tell);
  } finally {
    await network.close();
  }
};
