// Taken at load: fake timers of an application's tests replace the global one, and then nothing would ever be sent.
const nextTick = process.nextTick.bind(process);

/** The part of a socket that gathers writes. */
export interface Corkable {
  cork(): unknown;
  uncork(): unknown;
}

/**
 * Commands that are sent in one turn of the event loop leave in one write. A client writes each command by itself,
 * and under load the system call costs more than all the rest of a hit. Nothing waits: the write is made before the
 * event loop moves on. What the application sends over the same client goes with it, in its order.
 */
export class WriteBatch {
  #corked: Corkable | undefined;

  /** To be called before a command is sent. @param stream the client's socket of this moment, if it shows one */
  open(stream: Corkable | undefined): void {
    if (stream === undefined || stream === this.#corked || typeof stream.cork !== 'function') return;
    this.#corked = stream;
    stream.cork();
    // After the microtasks, in which the replies to one batch send the next one.
    nextTick(() => {
      if (this.#corked === stream) this.#corked = undefined;
      stream.uncork();
    });
  }
}
