/** @file A page's questions, answered by a studio. */
import { PhospheneError } from '../errors.ts';
import type { Line, ToStudio } from './protocol.ts';
import type { Studio } from './studio.ts';

/** Questions that a page may have open at a time. */
const MOST_OPEN = 1024;

/** A page that is being answered. */
export interface Answering {
  /** A question. It may be anything: what is none is passed by. */
  readonly ask: (question: ToStudio) => void;
  /** Stops all that is under way. */
  readonly stop: () => void;
}

/**
 * Answers a page on its line. Nothing is thrown: an error is the answer to its question.
 *
 * @example
 * const { ask } = serveStudio({ post: (answer) => console.log(answer) }, studio);
 */
export function serveStudio(line: Line, studio: Studio): Answering {
  const open = new Map<number, AbortController>();
  const answer = async (question: ToStudio, signal: AbortSignal): Promise<void> => {
    const { id } = question;
    const post: Line['post'] = (message) => {
      if (!signal.aborted) line.post(message);
    };
    try {
      if (question.type === 'catalogue') post({ type: 'catalogue', id, catalogue: studio.catalogue() });
      else if (question.type === 'open') post({ type: 'facts', id, facts: await studio.facts(question.model) });
      else if (question.type === 'look') post({ type: 'seen', id, seen: await studio.look(question.look, signal) });
      else if (question.type === 'study')
        post({ type: 'studied', id, studied: await studio.study(question.study, signal) });
      else if (question.type === 'watch')
        for await (const news of studio.watch(question.wish, signal)) post({ type: 'news', id, news });
    } catch (error) {
      post({ type: 'failed', id, error: explained(error).toJSON() });
    }
  };
  return {
    ask(question) {
      const { type, id } = question;
      if (!Number.isSafeInteger(id)) return;
      if (type === 'leave') {
        open.get(id)?.abort();
        open.delete(id);
        return;
      }
      if (open.has(id)) return;
      if (open.size >= MOST_OPEN) {
        const error = new PhospheneError('too-large', `a page may wait for ${MOST_OPEN} pictures at a time, not more`);
        line.post({ type: 'failed', id, error: error.toJSON() });
        return;
      }
      const controller = new AbortController();
      open.set(id, controller);
      void answer(question, controller.signal).finally(() => {
        if (open.get(id) === controller) open.delete(id);
      });
    },
    stop() {
      for (const controller of open.values()) controller.abort();
      open.clear();
    },
  };
}

function explained(error: unknown): PhospheneError {
  if (error instanceof PhospheneError) return error;
  // A question that is malformed ends here too.
  const message = error instanceof Error ? error.message : String(error);
  return new PhospheneError('runtime', `this could not be shown: ${message}`, {}, error);
}
