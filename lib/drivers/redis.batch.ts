// Taken at load: fake timers of an application's tests replace the global one, and then nothing would ever be sent.
const nextTick = process.nextTick.bind(process);

/** The part of a socket that gathers writes. */
export interface Corkable {
  cork(): unknown;
  uncork(): unknown;
}

/** Commands in one write. The server works on them while the next are made; with more it stands idle meanwhile. */
const MOST = 16;

/**
 * Commands that are sent in one turn of the event loop leave in few writes. A client writes each command by itself,
 * and under load the system call costs more than all the rest of a hit. While the server has nothing to do, a command
 * leaves at once. Nothing waits: all is written before the event loop moves on. What the application sends over the
 * same client goes with it, in its order.
 */
export class WriteBatch {
  /** Commands that were sent, and have no reply yet. */
  #unanswered = 0;
  /** Where commands are held back. */
  #stream: Corkable | undefined;
  #held = 0;

  /**
   * To be called before a command is sent.
   * @param stream the client's socket of this moment, if it shows one
   * @param waits nobody waits for its reply: what the caller does next in this turn goes first
   */
  begin(stream: Corkable | undefined, waits = false): void {
    const isIdle = this.#unanswered++ === 0 && this.#held === 0;
    if (isIdle && !waits) return;
    if (this.#held === MOST || this.#stream !== stream) this.#release();
    if (typeof stream?.cork !== 'function') return;
    if (this.#held++ > 0) return;
    stream.cork();
    this.#stream = stream;
    // After the microtasks, in which the replies to one batch send the next one.
    nextTick(this.#release);
  }

  /** To be called when it has its reply, or will have none. */
  end(): void {
    this.#unanswered--;
  }

  readonly #release = (): void => {
    if (this.#held > 0) this.#stream?.uncork();
    this.#held = 0;
  };
}
