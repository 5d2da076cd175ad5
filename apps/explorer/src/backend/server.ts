/** @file Pictures from a server on this machine: questions are posted, answers come as a stream of events. */
import { type FromStudio, packed, type ToStudio, unpacked } from 'phosphene/web';
import type { Backend } from './backend.ts';
import { type PageLine, remote } from './remote.ts';

/** Milliseconds until a lost server is looked for again, at first and at most. */
const SOON = 250;
const LATE = 4000;
/** Questions that are sent together. */
const MOST_TOGETHER = 256;
const LOST = 'The server does not answer. If you start it again, this page goes on.';
const GONE =
  'The server that this page came from has ended. Start `phosphene explore` again, and open the address that it prints.';

/** The backend of the server that has the page at `base`, an address that ends in `/`. */
export function serverBackend(base: URL): Backend {
  return remote('server', serverLine(base));
}

function serverLine(base: URL): PageLine {
  let hear: Parameters<PageLine['receive']>[0] = () => {};
  let change: Parameters<PageLine['onChange']>[0] = () => {};
  let session: string | undefined;
  let waiting: ToStudio[] = [];
  let sending = false;
  let lost = false;
  const closing = new AbortController();

  const send = async (): Promise<void> => {
    if (sending || session === undefined || waiting.length === 0) return;
    sending = true;
    // All that is asked in one turn travels together.
    await Promise.resolve();
    // A photo travels alone: what is sent at once may not be of any length.
    const photo = waiting.findIndex(({ type }) => type === 'look');
    const questions = waiting.splice(0, photo < 0 ? MOST_TOGETHER : Math.min(Math.max(photo, 1), MOST_TOGETHER));
    try {
      await fetch(new URL('ask', base), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ session, questions }, packed),
        signal: closing.signal,
      });
    } catch {
      // The stream of events ends too, and then all open questions are asked again.
    }
    sending = false;
    void send();
  };

  const listen = async (): Promise<void> => {
    const response = await fetch(new URL('events', base), { signal: closing.signal });
    if (response.status === 404 || response.status === 403) return change('gone', GONE);
    if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
    for await (const event of eventsOf(response.body)) {
      if ('session' in event) {
        session = event.session;
        if (lost) change('back', '');
        lost = false;
        void send();
      } else hear(event);
    }
    throw new Error('the stream ended');
  };

  const keepListening = async (): Promise<void> => {
    for (let wait = SOON; !closing.signal.aborted; wait = Math.min(2 * wait, LATE)) {
      try {
        return await listen();
      } catch {
        if (session !== undefined) wait = SOON;
        session = undefined;
        waiting = [];
        if (closing.signal.aborted) return;
        lost = true;
        change('lost', LOST);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  };
  queueMicrotask(() => void keepListening());

  return {
    post(question) {
      // What is asked while the line is down is asked again when it is back.
      if (lost) return;
      waiting.push(question);
      void send();
    },
    receive: (listener) => (hear = listener),
    onChange: (listener) => (change = listener),
    close: () => closing.abort(),
  };
}

type Told = FromStudio | { readonly session: string };

/** The events of a stream of server-sent events; bytes in them are base64. */
async function* eventsOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Told, void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split('\n\n');
    text = events.pop()!;
    for (const event of events) if (event.startsWith('data: ')) yield JSON.parse(event.slice(6), unpacked) as Told;
  }
}
