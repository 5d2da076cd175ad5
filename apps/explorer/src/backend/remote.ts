/** @file A backend at the other end of a line: each question has a number, and its answers bear it. */
import type { Catalogue, FromStudio, ModelFacts, Seen, Studied, ToStudio } from 'phosphene/web';
import { type Backend, Failure } from './backend.ts';

/** The page's side of a line to a studio. */
export interface PageLine {
  post(message: ToStudio): void;
  /** Calls `listener` with every answer. */
  receive(listener: (message: FromStudio) => void): void;
  /**
   * Calls `listener` when the line changes: `back` after it was lost, so that open questions must be asked anew; `lost` with what
   * happened, if there may be another; `gone` if there will be none.
   */
  onChange(listener: (change: 'back' | 'lost' | 'gone', what: string) => void): void;
  close(): void;
}

interface Asked {
  readonly question: ToStudio;
  readonly hear: (answer: FromStudio) => void;
  readonly fail: (error: Failure) => void;
}

type Question = ToStudio extends infer Q ? (Q extends unknown ? Omit<Q, 'id'> : never) : never;

/** The backend at the other end of `line`. */
export function remote(kind: Backend['kind'], line: PageLine, offer?: Backend['offer']): Backend {
  const open = new Map<number, Asked>();
  const listeners: ((trouble: string | undefined) => void)[] = [];
  let ids = 0;
  let gone: string | undefined;

  const tell = (trouble: string | undefined): void => {
    for (const listener of listeners) listener(trouble);
  };
  const lost = (what: string): Failure => new Failure({ code: 'runtime', message: what });
  line.receive((answer) => {
    const asked = open.get(answer.id);
    if (answer.type === 'failed') {
      open.delete(answer.id);
      asked?.fail(new Failure({ ...answer.error, details: { ...answer.error.details } }));
    } else asked?.hear(answer);
  });
  line.onChange((change, what) => {
    tell(change === 'back' ? undefined : what);
    if (change === 'back') for (const { question } of open.values()) line.post(question);
    if (change === 'gone') {
      gone = what;
      for (const { fail } of open.values()) fail(lost(what));
      open.clear();
    }
  });

  const ask = (asked: Question, hear: Asked['hear'], fail: Asked['fail']): (() => void) => {
    const id = ++ids;
    const question = { ...asked, id } as ToStudio;
    if (gone !== undefined) {
      fail(lost(gone));
      return () => {};
    }
    open.set(id, { question, hear, fail });
    line.post(question);
    return () => {
      if (open.delete(id)) line.post({ type: 'leave', id });
    };
  };

  const once = <T>(question: Question, read: (answer: FromStudio) => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const done = ask(
        question,
        (answer) => {
          const value = read(answer);
          if (value !== undefined) resolve(value);
          done();
        },
        reject,
      );
    });

  return {
    kind,
    ...(offer ? { offer } : {}),
    catalogue: () => once<Catalogue>({ type: 'catalogue' }, (a) => (a.type === 'catalogue' ? a.catalogue : undefined)),
    open: (model) => once<ModelFacts>({ type: 'open', model }, (a) => (a.type === 'facts' ? a.facts : undefined)),
    look: (look) => once<Seen>({ type: 'look', look }, (a) => (a.type === 'seen' ? a.seen : undefined)),
    study: (study) => once<Studied>({ type: 'study', study }, (a) => (a.type === 'studied' ? a.studied : undefined)),
    async *watch(wish, signal) {
      const waiting: FromStudio[] = [];
      let failure: Failure | undefined;
      let wake = (): void => {};
      const leave = ask(
        { type: 'watch', wish },
        (answer) => (waiting.push(answer), wake()),
        (error) => ((failure = error), wake()),
      );
      const stop = (): void => wake();
      signal.addEventListener('abort', stop);
      try {
        while (!signal.aborted) {
          const answer = waiting.shift();
          if (answer?.type === 'news') {
            yield answer.news;
            if (answer.news.type === 'picture' && (wish.kept !== false || !answer.news.picture.kept)) return;
          } else if (failure) throw failure;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        signal.removeEventListener('abort', stop);
        leave();
      }
    },
    onTrouble: (listener) => void listeners.push(listener),
    close: () => line.close(),
  };
}
